// Exact evaluation of flips, as deltas on cached activations.
//
// A flip changes what one row of one matrix puts out; nothing below it changes. So a candidate
// enters in the middle of its layer, from the activations cached there, with its row's outputs
// replaced (bfs/trace.h), and only the layers above are computed. Sequences that begin alike share
// what they have in common (bfs/chunk.h). The weights stay read-only, and the scores are bit-equal
// to a full forward pass of a model with the flip applied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "bfs/block_runner.h"
#include "bfs/chunk.h"
#include "bfs/fitness_bound.h"
#include "bfs/flip_evaluator.h"
#include "bfs/half_layer.h"
#include "bfs/objective.h"
#include "bfs/term_scorer.h"
#include "bfs/trace.h"
#include "model/transformer.h"
#include "patch/flip.h"

namespace bankai::bfs {

class Evaluator final : public FlipEvaluator {
 public:
  // `searched`: the tensors whose flips will be evaluated; activations are cached for their
  // half-layers (embedding floats for each token of the prefix tree). Evaluates the unpatched model
  // once. References must outlive this.
  Evaluator(model::Transformer& transformer, const Objective& objective,
            std::span<const TensorAddress> searched);

  // Item scores (items) of the unpatched model.
  std::span<const double> base_scores() const override { return base_scores_; }

  // Item scores under replaced rows, by a full forward pass.
  std::vector<double> evaluate_overlay(const model::RowOverlay& overlay);

  // The same where `overlay` differs from the state only in rows that enter at `from` or above: the
  // layers below are not run again. REQUIRES: `from` is a half-layer of the searched tensors.
  std::vector<double> evaluate_overlay(const model::RowOverlay& overlay, HalfLayer from);

  // The state from which candidates are flipped. Returns its item scores.
  std::vector<double> set_state(model::RowOverlay overlay);

  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips, HalfLayer from) override;
  std::vector<double> enter_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips,
                                     std::span<const std::uint32_t> sequences) override;
  // Flips are rejected as early as that is certain.
  BoundedScores evaluate_flips(std::span<const patch::Flip> flips,
                               const FitnessBound& bound) override;

  // Tokens that are computed, each once for all sequences that begin alike up to it.
  std::size_t num_nodes() const { return tree_.num_nodes(); }
  // Memory of activations that are kept for each of them, at most.
  static std::uint64_t bytes_per_node(const model::Hyperparameters& h,
                                      std::span<const TensorAddress> searched);

 private:
  enum class Pass { kReference, kState, kPlain };
  // Candidates [first, last) of a batch on one chunk.
  struct Block {
    std::size_t chunk = 0;
    std::size_t first = 0;
    std::size_t last = 0;
  };

  std::vector<double> run_all(const model::RowOverlay& overlay, Pass pass, HalfLayer from);
  void run_chunk(const Chunk& chunk, BlockRunner& runner, const model::RowOverlay& overlay,
                 Pass pass, HalfLayer from, double* values);
  void remember(HalfLayer place, const Chunk& chunk, BlockRunner& runner);
  void evaluate(std::span<const patch::Flip> flips, std::span<const Chunk> chunks,
                const FitnessBound* bound, BoundedScores& results);
  void evaluate_batch(std::span<const patch::Flip> flips, std::span<const Chunk> chunks,
                      const FitnessBound* bound, std::span<double> values,
                      std::span<std::uint8_t> is_rejected);
  void run_block(std::span<const Candidate> candidates, std::span<double* const> values,
                 const Chunk& chunk, BlockRunner& runner);
  void for_each_block(std::size_t count,
                      const std::function<void(std::size_t, BlockRunner&)>& body);

  model::Transformer& transformer_;
  const Objective& objective_;
  TermScorer term_scorer_;
  std::size_t chunk_tokens_;
  std::vector<std::uint32_t> order_;  // of all sequences
  PrefixTree tree_;
  std::vector<Chunk> chunks_;  // of all sequences
  std::map<HalfLayer, std::vector<float>>
      inputs_;  // residual (nodes, embedding), where flips enter
  model::RowOverlay state_;
  std::vector<double> base_scores_;
  // Blocks run on one thread each where there are many, else on all threads one after the other.
  BlockRunner shared_runner_;
  std::vector<std::unique_ptr<model::Transformer>> own_transformers_;
  std::vector<std::unique_ptr<BlockRunner>> own_runners_;
  Trace trace_;
};

}  // namespace bankai::bfs
