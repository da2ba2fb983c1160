#include "bfs/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"

namespace bankai::bfs {
namespace {

constexpr std::string_view kMagic = "BKSTATE2";

// Calls visit on every field in file order: the one description of the layout, for both directions.
template <typename State, typename Visitor>
void visit_fields(State& state, Visitor&& visit) {
  visit(state.round);
  visit(state.fitness);
  visit(state.finished);
  visit(state.draws);
  visit(state.screened_out);
  visit(state.stalled);
  visit(state.work);
  visit(state.seconds);
  visit(state.held_out_gain);
  visit(state.best_held_out);
  visit(state.rounds_without_gain);
  visit(state.accepted);
  visit(state.best_accepted);
  visit(state.scored);
  visit(state.ranking);
  visit(state.population);
  visit(state.front);
}

struct Writer {
  ByteWriter bytes;

  void operator()(std::uint64_t value) { bytes.write(value); }
  void operator()(double value) { bytes.write(value); }
  void operator()(bool value) { bytes.write<std::uint8_t>(value ? 1 : 0); }
  void operator()(const Fitness& fitness) {
    bytes.write(fitness.fitness);
    bytes.write(fitness.target_gain);
    bytes.write(fitness.control_loss);
  }
  void operator()(const ScoredCandidate& candidate) {
    bytes.write(candidate.id);
    (*this)(candidate.fitness);
  }
  void operator()(const Individual& individual) {
    (*this)(individual.ids);
    (*this)(individual.fitness);
  }
  void operator()(const ParetoPoint& point) {
    (*this)(point.round);
    (*this)(point.flips);
    (*this)(point.patch_bytes);
    (*this)(point.gains);
  }
  template <typename T>
  void operator()(const std::vector<T>& values) {
    bytes.write<std::uint64_t>(values.size());
    for (const T& value : values) (*this)(value);
  }
};

// Stops at the first error and keeps it.
struct Reader {
  ByteReader bytes;
  CandidateId space_size;
  Status status;

  template <typename T>
  T number() {
    Result<T> value = bytes.read<T>("a field");
    if (value.ok()) return *value;
    if (status.ok()) status = value.error();
    return T{};
  }
  void operator()(std::uint64_t& value) { value = number<std::uint64_t>(); }
  void operator()(double& value) { value = number<double>(); }
  void operator()(bool& value) { value = number<std::uint8_t>() != 0; }
  void operator()(Fitness& fitness) {
    (*this)(fitness.fitness);
    (*this)(fitness.target_gain);
    (*this)(fitness.control_loss);
  }
  void operator()(ScoredCandidate& candidate) {
    read_id(candidate.id);
    (*this)(candidate.fitness);
  }
  void operator()(Individual& individual) {
    (*this)(individual.ids);
    (*this)(individual.fitness);
    const auto unordered = std::adjacent_find(individual.ids.begin(), individual.ids.end(),
                                              std::greater_equal<CandidateId>());
    if (status.ok() && unordered != individual.ids.end())
      status = make_error(ErrorCode::kBadInput, "candidate %llu stands before %llu in a population",
                          static_cast<unsigned long long>(unordered[0]),
                          static_cast<unsigned long long>(unordered[1]));
  }
  void operator()(ParetoPoint& point) {
    (*this)(point.round);
    (*this)(point.flips);
    (*this)(point.patch_bytes);
    (*this)(point.gains);
  }
  template <typename T>
  void operator()(std::vector<T>& values) {
    const auto count = number<std::uint64_t>();
    if (status.ok() && count > bytes.remaining() / sizeof(CandidateId))
      status = make_error(ErrorCode::kBadInput,
                          "%llu entries at offset %zu, more than the file can hold",
                          static_cast<unsigned long long>(count), bytes.offset());
    for (std::uint64_t i = 0; i < count && status.ok(); ++i) {
      T& value = values.emplace_back();
      if constexpr (std::is_same_v<T, CandidateId>) {
        read_id(value);
      } else {
        (*this)(value);
      }
    }
  }

 private:
  void read_id(CandidateId& id) {
    const std::size_t offset = bytes.offset();
    id = number<std::uint64_t>();
    if (status.ok() && id >= space_size)
      status = make_error(
          ErrorCode::kBadInput, "candidate %llu at offset %zu, but there are only %llu",
          static_cast<unsigned long long>(id), offset, static_cast<unsigned long long>(space_size));
  }
};

Sha256Digest digest_of(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace

std::vector<std::byte> encode_checkpoint(const SearchState& state, const Sha256Digest& config) {
  Writer writer;
  writer.bytes.write_text(kMagic);
  writer.bytes.write_bytes(config);
  visit_fields(state, writer);
  writer.bytes.write_bytes(digest_of(writer.bytes.bytes()));
  return std::move(writer.bytes).bytes();
}

Result<SearchState> decode_checkpoint(std::span<const std::byte> bytes, const Sha256Digest& config,
                                      CandidateId space_size) {
  const auto damaged = [](const std::string& reason) {
    return Error{ErrorCode::kBadInput, "not a whole search checkpoint: " + reason};
  };
  constexpr std::size_t kDigestBytes = sizeof(Sha256Digest);
  if (bytes.size() < kMagic.size() + 2 * kDigestBytes ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return damaged("it does not begin as one");
  const auto body = bytes.first(bytes.size() - kDigestBytes);
  const Sha256Digest checksum = digest_of(body);
  if (std::memcmp(checksum.data(), bytes.data() + body.size(), kDigestBytes) != 0)
    return damaged("its checksum differs");
  if (std::memcmp(config.data(), bytes.data() + kMagic.size(), kDigestBytes) != 0)
    return Error{ErrorCode::kMismatch,
                 "the checkpoint of another search (model, data or options differ)"};
  SearchState state;
  Reader reader{ByteReader(body.subspan(kMagic.size() + kDigestBytes)), space_size, {}};
  visit_fields(state, reader);
  if (!reader.status.ok()) return damaged(reader.status.error().message);
  if (reader.bytes.remaining() != 0) return damaged("bytes follow its end");
  return state;
}

}  // namespace bankai::bfs
