// All flips that a search may choose from, as a numbered list: by tensor, and within a tensor first
// all rows, then all groups, then all bits or, of a ternary matrix, all steps up and then all steps
// down, each kind in canonical order. Steps act modulo 3, so that every weight has both; which of
// them a search takes is in bfs/single_weights.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor_address.h"
#include "model/model.h"
#include "patch/flip.h"
#include "patch/weight_view.h"

namespace bankai::bfs {

// kBit: single weights, so steps of ternary ones. kMixed: rows, groups and single weights together,
// without the groups of rows that have one group only: those are the rows themselves.
enum class Granularity { kRow, kGroup, kBit, kMixed };

// All kinds of flips, in the order of a tensor's candidates.
inline constexpr std::array<patch::FlipKind, patch::kNumFlipKinds> kFlipKinds = {
    patch::FlipKind::kRow, patch::FlipKind::kGroup, patch::FlipKind::kBit, patch::FlipKind::kStepUp,
    patch::FlipKind::kStepDown};
// A number for each kind of flip.
using ByFlipKind = std::array<double, patch::kNumFlipKinds>;

std::string_view granularity_name(Granularity granularity);
std::optional<Granularity> find_granularity(std::string_view name);

// The 8B model has 5.4e9 bits in its feed-forward matrices: ids do not fit 32 bits.
using CandidateId = std::uint64_t;

class CandidateSpace {
 public:
  // REQUIRES: every address names a 1-bit or ternary matrix of the model.
  CandidateSpace(const patch::MatrixLookup& weights, std::span<const TensorAddress> tensors,
                 Granularity granularity);
  CandidateSpace(const model::Model& model, std::span<const TensorAddress> tensors,
                 Granularity granularity);

  CandidateId size() const { return first_.back(); }
  std::span<const TensorAddress> tensors() const { return tensors_; }  // ascending
  Granularity granularity() const { return granularity_; }

  // The flip of a candidate, and the candidate of a flip. REQUIRES: it is in the space.
  patch::Flip flip(CandidateId id) const;
  CandidateId id_of(const patch::Flip& flip) const;

  // The candidates of tensor i are [first(i), first(i + 1)); those of one kind,
  // [first(i, kind), first(i, kind) + count(i, kind)), are ordered by row and then by index.
  CandidateId first(std::size_t tensor) const { return first_[tensor]; }
  CandidateId first(std::size_t tensor, patch::FlipKind kind) const;
  std::uint64_t count(std::size_t tensor, patch::FlipKind kind) const;
  // Candidates of the kind in one row of the tensor: 0 if the space has none.
  std::uint64_t count_per_row(std::size_t tensor, patch::FlipKind kind) const;

  // The candidate at fraction `where` in [0, 1) of those of a row, rows counted over all tensors.
  // REQUIRES: candidates of one size, so not kMixed.
  CandidateId candidate_in_row(std::uint64_t row, double where) const;

 private:
  // All candidates of one kind of one tensor.
  struct Block {
    std::size_t tensor = 0;
    patch::FlipKind kind = patch::FlipKind::kRow;
    std::uint64_t rows = 0;
    std::uint64_t per_row = 1;
    CandidateId first = 0;
    std::uint64_t count() const { return rows * per_row; }
  };
  // Null if the space has no such candidates.
  const Block* find_block(std::size_t tensor, patch::FlipKind kind) const;

  std::vector<TensorAddress> tensors_;
  std::vector<CandidateId> first_;  // tensors + 1
  std::vector<Block> blocks_;       // by tensor, then by kind
  Granularity granularity_;
};

}  // namespace bankai::bfs
