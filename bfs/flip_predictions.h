// From the effects of flipped bits to those of flipped weights: what a row, group or bit of a
// matrix does to its own outputs is exact (docs/binary_models.md).
#pragma once

#include <cstddef>
#include <span>

#include "bfs/change_sink.h"
#include "bfs/flip_effects.h"

namespace bankai::bfs {

// A matrix over the tokens of one item.
struct MatrixEffects {
  const model::BinaryLinear* linear = nullptr;
  const std::vector<std::uint64_t>* inputs = nullptr;  // (tokens, words of its columns)
  const ProductSums* sums = nullptr;
  const BitEffects* outputs = nullptr;
  // Of a row that flips for all tokens at once; for keys that is not the sum over single tokens.
  const BitEffects* rows = nullptr;
};

// What changes of an item's score mean for the fitness. Far beyond 1 nat a sum of first-order
// effects knows an order, not a size: s counts as 1 + ln s there.
class ItemChanges {
 public:
  ItemChanges(const ItemEffect& effect, ChangeSink& sink) : effect_(effect), sink_(sink) {}
  // Of candidates first, first + 1, …, of one kind.
  void take(CandidateId first, std::span<const float> changes) const;

 private:
  const ItemEffect& effect_;
  ChangeSink& sink_;
};

// Adds the changes of an item's score by all candidates of tensor `tensor` of the space. Different
// candidates are put into the sink from different threads.
void predict_matrix(const kernels::KernelTable& table, int threads, const CandidateSpace& space,
                    std::size_t tensor, const MatrixEffects& matrix, const ItemChanges& changes);

}  // namespace bankai::bfs
