#include "bfs/checkpoint.h"

#include <gtest/gtest.h>

#include <bit>
#include <string_view>

namespace bankai::bfs {
namespace {

constexpr CandidateId kSpace = 1000;

Sha256Digest digest(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.finish();
}
const Sha256Digest kConfig = digest("model, data and options");

// Every field has a value of its own, so that a swap or an omission shows.
SearchState full_state() {
  SearchState state;
  state.round = 3;
  state.accepted = {17, 4, 999};
  state.fitness = {0.125, 0.25, 0.0625};
  state.finished = true;
  state.scored = {{5, {-1.5, 2.5, 3.5}}, {7, {4.5, -5.5, 6.5}}};
  state.ranking = {{0, {7.5, 8.5, 9.5}}, {998, {-0.0, 1e-300, 1e300}}, {999, {0.5, 0.75, 1.75}}};
  state.draws = 41;
  state.screened_out = 42;
  state.work = std::uint64_t{1} << 60U;
  state.seconds = 12.75;
  state.held_out_gain = -0.375;
  state.best_held_out = 0.875;
  state.best_accepted = {17, 998};
  state.rounds_without_gain = 6;
  state.population = {{{1, 4, 999}, {0.5, 1.5, 2.5}}, {{998}, {-0.5, 1.25, 2.25}}};
  state.stalled = 7;
  state.front = {{8, 9, 61, {0.375, -0.625}}, {10, 11, 62, {1.375}}};
  return state;
}

void expect_equal(const Fitness& a, const Fitness& b) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(a.fitness), std::bit_cast<std::uint64_t>(b.fitness));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(a.target_gain),
            std::bit_cast<std::uint64_t>(b.target_gain));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(a.control_loss),
            std::bit_cast<std::uint64_t>(b.control_loss));
}

void expect_equal(const std::vector<ScoredCandidate>& a, const std::vector<ScoredCandidate>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].id, b[i].id);
    expect_equal(a[i].fitness, b[i].fitness);
  }
}

void expect_equal(const SearchState& a, const SearchState& b) {
  EXPECT_EQ(a.round, b.round);
  EXPECT_EQ(a.accepted, b.accepted);
  expect_equal(a.fitness, b.fitness);
  EXPECT_EQ(a.finished, b.finished);
  expect_equal(a.scored, b.scored);
  expect_equal(a.ranking, b.ranking);
  EXPECT_EQ(a.draws, b.draws);
  EXPECT_EQ(a.screened_out, b.screened_out);
  EXPECT_EQ(a.work, b.work);
  EXPECT_EQ(a.seconds, b.seconds);
  EXPECT_EQ(a.held_out_gain, b.held_out_gain);
  EXPECT_EQ(a.best_held_out, b.best_held_out);
  EXPECT_EQ(a.best_accepted, b.best_accepted);
  EXPECT_EQ(a.rounds_without_gain, b.rounds_without_gain);
  ASSERT_EQ(a.population.size(), b.population.size());
  for (std::size_t i = 0; i < a.population.size(); ++i) {
    EXPECT_EQ(a.population[i].ids, b.population[i].ids);
    expect_equal(a.population[i].fitness, b.population[i].fitness);
  }
  EXPECT_EQ(a.stalled, b.stalled);
  EXPECT_EQ(a.front, b.front);
}

using Bytes = std::vector<std::byte>;

Result<SearchState> decoded(const Bytes& bytes) {
  return decode_checkpoint(bytes, kConfig, kSpace);
}

void expect_damaged(const Bytes& bytes, std::size_t place) {
  const Result<SearchState> state = decoded(bytes);
  ASSERT_FALSE(state.ok()) << place;
  EXPECT_EQ(state.error().code, ErrorCode::kBadInput) << place;
}

TEST(Checkpoint, round_trip_keeps_every_field) {
  for (const SearchState& state : {SearchState(), full_state()}) {
    const Result<SearchState> back = decoded(encode_checkpoint(state, kConfig));
    ASSERT_TRUE(back.ok()) << back.error().message;
    expect_equal(*back, state);
  }
}

TEST(Checkpoint, equal_states_give_equal_bytes) {
  EXPECT_EQ(encode_checkpoint(full_state(), kConfig), encode_checkpoint(full_state(), kConfig));
}

TEST(Checkpoint, every_prefix_is_refused) {
  const Bytes whole = encode_checkpoint(full_state(), kConfig);
  for (std::size_t size = 0; size < whole.size(); ++size)
    expect_damaged({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, size);
}

TEST(Checkpoint, every_changed_or_added_byte_is_refused) {
  const Bytes whole = encode_checkpoint(full_state(), kConfig);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes changed = whole;
      changed[i] ^= std::byte{1} << bit;
      expect_damaged(changed, i);
    }
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  expect_damaged(longer, whole.size());
}

// The bytes before the checksum, and these with a checksum that fits them: what is left to find is
// in the fields.
Bytes body_of(const SearchState& state) {
  Bytes bytes = encode_checkpoint(state, kConfig);
  bytes.resize(bytes.size() - sizeof(Sha256Digest));
  return bytes;
}
Bytes sealed(Bytes body) {
  Sha256 hash;
  hash.update(body);
  const Sha256Digest checksum = hash.finish();
  body.insert(body.end(), checksum.begin(), checksum.end());
  return body;
}

TEST(Checkpoint, missing_or_further_fields_are_refused_although_the_checksum_fits) {
  const Bytes body = body_of(full_state());
  ASSERT_TRUE(decoded(sealed(body)).ok());
  for (std::size_t size = 0; size < body.size(); ++size)
    expect_damaged(sealed({body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size)}), size);
  Bytes longer = body;
  longer.push_back(std::byte{0});
  expect_damaged(sealed(longer), body.size());
}

TEST(Checkpoint, absurd_fields_are_refused_or_harmless) {
  const Bytes body = body_of(full_state());
  for (std::size_t i = 8 + sizeof(Sha256Digest); i < body.size(); ++i) {
    Bytes changed = body;
    changed[i] = std::byte{0xff};
    const Result<SearchState> state = decoded(sealed(changed));
    if (!state.ok()) continue;
    for (const CandidateId id : state->accepted) EXPECT_LT(id, kSpace);
    for (const ScoredCandidate& candidate : state->scored) EXPECT_LT(candidate.id, kSpace);
    for (const ScoredCandidate& candidate : state->ranking) EXPECT_LT(candidate.id, kSpace);
    for (const CandidateId id : state->best_accepted) EXPECT_LT(id, kSpace);
    for (const Individual& individual : state->population)
      for (const CandidateId id : individual.ids) EXPECT_LT(id, kSpace);
  }
}

TEST(Checkpoint, an_unordered_individual_is_refused) {
  for (const auto& ids : {std::vector<CandidateId>{4, 1}, {4, 4}, {1, 2, 2}, {1, 3, 2}}) {
    SearchState state = full_state();
    state.population[1].ids = ids;
    expect_damaged(encode_checkpoint(state, kConfig), ids.size());
  }
}

TEST(Checkpoint, candidates_outside_the_space_are_refused) {
  const Bytes bytes = encode_checkpoint(full_state(), kConfig);
  EXPECT_TRUE(decode_checkpoint(bytes, kConfig, 1000).ok());
  EXPECT_EQ(decode_checkpoint(bytes, kConfig, 999).error().code, ErrorCode::kBadInput);
}

TEST(Checkpoint, another_search_is_refused) {
  const Bytes bytes = encode_checkpoint(full_state(), kConfig);
  EXPECT_EQ(decode_checkpoint(bytes, digest("another"), kSpace).error().code, ErrorCode::kMismatch);
}

}  // namespace
}  // namespace bankai::bfs
