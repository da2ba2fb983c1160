// All flips that a search may choose from, as a numbered list in canonical order.
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

enum class Granularity { kRow, kGroup, kBit };

std::string_view granularity_name(Granularity granularity);
std::optional<Granularity> find_granularity(std::string_view name);

using CandidateId = std::uint64_t;

class CandidateSpace {
 public:
  // REQUIRES: every address names a Q1_0 matrix inside a layer of the model.
  CandidateSpace(const model::Model& model, std::span<const TensorAddress> tensors,
                 Granularity granularity);

  CandidateId size() const { return first_.back(); }
  std::span<const TensorAddress> tensors() const { return tensors_; }
  Granularity granularity() const { return granularity_; }
  patch::Flip flip(CandidateId id) const;
  // The candidate at fraction `where` in [0, 1) of a row, rows counted over all tensors.
  CandidateId candidate_in_row(std::uint64_t row, double where) const;
  // The candidates of tensor i are [first(i), first(i + 1)).
  CandidateId first(std::size_t tensor) const { return first_[tensor]; }

 private:
  std::vector<TensorAddress> tensors_;  // ascending
  std::vector<CandidateId> first_;
  std::vector<std::uint64_t> per_row_;  // candidates per row of each tensor
  Granularity granularity_;
};

}  // namespace bankai::bfs
