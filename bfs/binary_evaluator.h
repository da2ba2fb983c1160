// Exact scores of flips on a strictly binary model (docs/binary_models.md).
//
// Real logits are those of its perplexity: the integer logit less the largest of its position,
// times scale / multiplier; scores are their log-probabilities. Flips are evaluated as what they
// change (bfs/binary_delta.h), one on a thread at a time; a flip that crosses no threshold ends
// where it began, with the scores of the state. Scores equal those of a full pass bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "bfs/binary_delta.h"
#include "bfs/flip_evaluator.h"
#include "bfs/objective.h"
#include "bfs/term_scorer.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

class BinaryEvaluator final : public FlipEvaluator {
 public:
  // References must outlive this. REQUIRES: no divergences among the objective's terms.
  BinaryEvaluator(const model::BinaryModel& model, const kernels::KernelTable& table,
                  const model::BinaryOptions& options, double logit_scale,
                  const Objective& objective);

  std::span<const double> base_scores() const override { return base_scores_; }
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips, HalfLayer) override {
    return evaluate_patch(flips);
  }
  std::vector<double> enter_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips) override;
  // All sequences are evaluated: what does not change costs little.
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips,
                                     std::span<const std::uint32_t>) override {
    return evaluate_flips(flips);
  }
  // Nothing is rejected.
  BoundedScores evaluate_flips(std::span<const patch::Flip> flips, const FitnessBound&) override;

 private:
  std::vector<double> scores_with(const BinaryRows& rows, BinaryDelta::Worker& worker) const;
  void score_tokens(std::span<const std::uint32_t> tokens, std::span<const std::uint64_t> states,
                    const BinaryRows& rows, std::vector<double>& values) const;
  void add_flip(const patch::Flip& flip, const model::BinaryModel& model, BinaryRows& rows) const;

  const model::BinaryModel& model_;
  const kernels::KernelTable& table_;
  model::BinaryOptions options_;
  double unit_;  // real logit of one of an integer logit
  const Objective& objective_;
  TermScorer term_scorer_;
  BinaryDelta delta_;
  std::vector<std::pair<std::uint32_t, std::size_t>> terms_;  // (token, term), ascending
  model::BinaryModel state_;
  BinaryRows state_rows_;                // where the state differs from the model
  std::vector<std::uint64_t> codebook_;  // panels, of the state
  std::vector<double> state_values_;     // of all terms
  std::vector<BinaryDelta::Worker> workers_;
  std::vector<double> base_scores_;
};

}  // namespace bankai::bfs
