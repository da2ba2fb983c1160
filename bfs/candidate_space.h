// All flips that a search may choose from, as a numbered list: by tensor, and within a tensor first
// all rows, then all groups, then all bits, each kind in canonical order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor_address.h"
#include "model/model.h"
#include "patch/flip.h"

namespace bankai::bfs {

// kMixed: rows, groups and bits together, without the groups of rows that have one group only:
// those are the rows themselves. Ternary matrices have no bits.
enum class Granularity { kRow, kGroup, kBit, kMixed };

std::string_view granularity_name(Granularity granularity);
std::optional<Granularity> find_granularity(std::string_view name);

// The 8B model has 5.4e9 bits in its feed-forward matrices: ids do not fit 32 bits.
using CandidateId = std::uint64_t;

class CandidateSpace {
 public:
  // REQUIRES: every address names a 1-bit or ternary matrix inside a layer of the model.
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

  // The candidate at fraction `where` in [0, 1) of a row, rows counted over all tensors.
  // REQUIRES: candidates of one kind, so not kMixed.
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
