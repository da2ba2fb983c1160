// The loss of a model on known text, with any of its tensors exchanged for changed ones: how the
// effect of a lossy step is measured.
//
// A forward pass goes stage by stage (weight_exchange.h), so that only the changed tensors of one
// stage are in memory, and what changes a late stage alone starts from the rows that the unchanged
// stages before it put out.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/perplexity.h"
#include "model/scoring.h"
#include "model/transformer.h"
#include "packer/weight_exchange.h"

namespace bankai::packer {

class NllMeter {
 public:
  // All sequences together are in memory as residual rows. `weights` exchanges those of the model;
  // both must outlive the meter.
  NllMeter(WeightExchange& weights, const model::Model& model, const kernels::KernelTable& table,
           model::ForwardOptions options, const std::vector<model::ScoredSequence>& sequences);

  std::size_t num_targets() const { return queries_.size(); }

  // Residual rows after the stages before `stage`.
  struct Rows {
    std::size_t stage = 0;
    std::vector<float> x;  // (tokens, embedding)
  };
  // Runs the stages before `stage`, which is at most the last, with the weights in place.
  void advance(Rows& rows, std::size_t stage);
  // Runs the rest: the negative log-probability of every target, in nats.
  std::vector<double> finish(Rows rows);

  // The change of a tensor of the file; nullopt: none.
  using Changes = std::function<Result<std::optional<LossyTensor>>(std::size_t tensor)>;
  // The same two with changes, whose tensors are made when their stage comes. Errors: those of
  // `changes` and of WeightExchange.
  Status advance(Rows& rows, std::size_t stage, const Changes& changes);
  Result<std::vector<double>> measure(const Changes& changes, Rows rows);
  Result<std::vector<double>> measure(const Changes& changes) { return measure(changes, Rows()); }

 private:
  struct Block {  // of sequences that are computed together
    std::size_t first_token = 0;
    std::vector<model::TokenId> tokens;
    std::vector<model::Segment> segments;
  };

  Status put_changes(std::size_t stage, const Changes& changes);

  WeightExchange& exchange_;
  const model::Model& model_;
  model::Transformer transformer_;
  model::Scorer scorer_;
  std::vector<Block> blocks_;
  std::vector<model::TokenQuery> queries_;  // rows of all blocks
  std::size_t num_tokens_ = 0;
};

// What two measurements of the same targets differ by.
struct NllChange {
  double mean = 0.0;            // after − before, nats per target
  double standard_error = 0.0;  // of the mean, as a sample of such targets
};
// What a target costs whose probability is no number: a changed model may overflow.
inline constexpr double kUselessNll = 1e6;
// REQUIRES: equal sizes, at least one; `before` is finite.
NllChange compare_nll(std::span<const double> before, std::span<const double> after);

}  // namespace bankai::packer
