// Predicted changes of all candidates of a strictly binary model, by the effects of flipped bits
// (bfs/flip_effects.h): a pass forward and back over each item, whatever the number of candidates.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/flip_effects.h"
#include "bfs/flip_predictions.h"
#include "bfs/objective.h"
#include "bfs/predictor.h"
#include "core/partition.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

class BinarySensitivity final : public Predictor {
 public:
  // References must outlive this.
  BinarySensitivity(const model::BinaryModel& model, const kernels::KernelTable& table,
                    const model::BinaryOptions& options, double logit_scale,
                    const Objective& objective, const CandidateSpace& space);

  // Changes are sums over items of exact integers.
  Result<std::uint64_t> run(mpi::Communicator& communicator, std::span<const patch::Flip> state,
                            std::span<const std::size_t> used, std::span<const double> base,
                            std::span<const double> scores,
                            const std::function<bool()>& should_stop, ChangeSink& sink) override;

 private:
  // An item's sequences, up to the last token that it looks at, and its terms by token.
  struct Sequences {
    std::vector<std::vector<model::TokenId>> tokens;
    std::vector<TracedTerm> terms;
  };
  // slopes: of the terms (bfs/predicted_change.h).
  Sequences sequences_of(const Item& item, std::span<const float> slopes) const;
  // The tensors of the space in runs whose changes fit into memory together.
  std::vector<IndexRange> passes() const;
  void predict_item(model::BinaryTransformer& transformer, const Sequences& sequences,
                    IndexRange tensors, const ItemChanges& changes) const;
  void predict_layer(const model::BinaryTransformer& transformer, std::size_t layer,
                     const BinaryTrace& trace, const LayerSums& sums, const LayerEffects& effects,
                     IndexRange tensors, const ItemChanges& changes) const;

  const model::BinaryModel& model_;
  const kernels::KernelTable& table_;
  model::BinaryOptions options_;
  double logit_scale_;
  const Objective& objective_;
  const CandidateSpace& space_;
};

}  // namespace bankai::bfs
