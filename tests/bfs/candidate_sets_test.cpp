// Sets of candidates against flips that are applied one after the other.
#include "bfs/candidate_sets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bfs/overlay.h"
#include "bfs/single_weights.h"
#include "core/counter_rng.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

constexpr TensorAddress kUp{1, Projection::kUp};

struct Rig {
  explicit Rig(const model::Model& of)
      : model(of), space(of, std::vector<TensorAddress>{kUp}, Granularity::kMixed) {
    const bool is_ternary = !model.bit_matrix(kUp).has_value();
    // Flips that meet: a row, a group of it, weights inside and outside of that; another row.
    flips = {patch::row_flip(kUp, 2), patch::group_flip(kUp, 2, 1)};
    for (const std::uint32_t col : {130U, 5U}) {
      if (!is_ternary) flips.push_back(patch::bit_flip(kUp, 2, col));
      if (is_ternary) flips.push_back(patch::step_up(kUp, 2, col));
      if (is_ternary) flips.push_back(patch::step_down(kUp, 2, col));
    }
    flips.push_back(is_ternary ? patch::step_up(kUp, 4, 130) : patch::bit_flip(kUp, 4, 130));
  }
  // The rows that the flips touch.
  std::vector<std::uint8_t> rows_of(const model::RowOverlay& overlay) const {
    const model::WeightMatrix& matrix = *model.find_matrix(kUp);
    std::vector<std::uint8_t> bytes;
    for (const std::size_t row : {std::size_t{2}, std::size_t{4}}) {
      const std::uint8_t* from = row_bytes(matrix, overlay, row);
      bytes.insert(bytes.end(), from, from + matrix.weights.row_bytes);
    }
    return bytes;
  }
  std::vector<std::uint8_t> rows_of(std::span<const CandidateId> set) const {
    std::vector<patch::Flip> all;
    for (const CandidateId id : set) all.push_back(space.flip(id));
    return rows_of(make_overlay(model, all));
  }

  const model::Model& model;
  CandidateSpace space;
  std::vector<patch::Flip> flips;
};

std::vector<CandidateId> sorted(std::vector<CandidateId> set) {
  std::sort(set.begin(), set.end());
  return set;
}

class CandidateSets : public ::testing::TestWithParam<const model::Model& (*)()> {};

// Every sequence of four flips.
TEST_P(CandidateSets, mean_what_flips_one_after_the_other_do) {
  const Rig rig(GetParam()());
  const std::size_t n = rig.flips.size();
  for (std::size_t code = 0; code < n * n * n * n; ++code) {
    model::RowOverlay applied;
    std::vector<CandidateId> set;
    for (std::size_t i = 0, rest = code; i < 4; ++i, rest /= n) {
      const patch::Flip& flip = rig.flips[rest % n];
      apply_flip(rig.model, flip, applied);
      const CandidateId id = rig.space.id_of(flip);
      const auto before = static_cast<int>(set.size());
      const int expected = growth(rig.space, set, id);
      set = toggled(rig.space, std::move(set), {&id, 1});
      ASSERT_EQ(static_cast<int>(set.size()) - before, expected);
    }
    ASSERT_EQ(rig.rows_of(set), rig.rows_of(applied)) << code;
    // Whatever the order of the set.
    std::reverse(set.begin(), set.end());
    ASSERT_EQ(rig.rows_of(set), rig.rows_of(applied)) << code;
  }
}

TEST_P(CandidateSets, take_back_what_was_flipped_last) {
  const Rig rig(GetParam()());
  std::vector<CandidateId> set;
  for (const patch::Flip& flip : rig.flips) {
    const CandidateId id = rig.space.id_of(flip);
    const CandidateId inverse = inverse_of(rig.space, id);
    EXPECT_EQ(inverse == id, !patch::is_step(flip.kind));
    const CandidateId both[] = {id, inverse};
    EXPECT_EQ(sorted(toggled(rig.space, set, both)), sorted(set));
    set = toggled(rig.space, std::move(set), {&id, 1});
  }
}

TEST_P(CandidateSets, tell_what_leads_from_one_to_another) {
  const Rig rig(GetParam()());
  const CounterRng rng(5);
  std::vector<std::vector<CandidateId>> sets = {{}};
  for (std::uint64_t i = 0; i < 40; ++i) {
    std::vector<CandidateId> ids;
    for (std::uint64_t k = 0; k < 1 + i % 6; ++k)
      ids.push_back(rig.space.id_of(
          rig.flips[static_cast<std::size_t>(rng.below(8 * i + k, rig.flips.size()))]));
    sets.push_back(toggled(rig.space, {}, ids));
  }
  for (const std::vector<CandidateId>& from : sets)
    for (const std::vector<CandidateId>& to : sets) {
      const std::vector<CandidateId> changes = changes_between(rig.space, from, to);
      EXPECT_EQ(sorted(toggled(rig.space, from, changes)), sorted(to));
    }
}

INSTANTIATE_TEST_SUITE_P(Models, CandidateSets, ::testing::Values(&tiny_model, &tiny_ternary_model),
                         [](const auto& param) { return param.index == 0 ? "bits" : "steps"; });

}  // namespace
}  // namespace bankai::bfs
