// Exact evaluation of flips, as deltas on cached activations.
//
// A flip changes what one row of one matrix puts out; nothing below it changes. So a candidate
// enters in the middle of its layer, from the activations cached there, with its row's outputs
// replaced, and only the layers above are computed. Many candidates share a block. The weights stay
// read-only, and the scores are bit-equal to a full forward pass of a model with the flip applied.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "bfs/term_scorer.h"
#include "model/transformer.h"
#include "patch/flip.h"

namespace bankai::bfs {

// Where a flip enters: the attention or the feed-forward half of a layer. Ascending in depth.
struct HalfLayer {
  std::uint32_t layer = 0;
  bool is_ffn = false;
  auto operator<=>(const HalfLayer&) const = default;
};
HalfLayer half_layer_of(TensorAddress tensor);

class Evaluator {
 public:
  // `searched`: the tensors whose flips will be evaluated; activations are cached for their
  // half-layers (tokens × embedding floats each). Evaluates the unpatched model once. References
  // must outlive this.
  Evaluator(model::Transformer& transformer, const Objective& objective,
            std::span<const TensorAddress> searched);

  // Item scores (items) of the unpatched model.
  std::span<const double> base_scores() const { return base_scores_; }

  // Item scores under replaced rows, by a full forward pass.
  std::vector<double> evaluate_overlay(const model::RowOverlay& overlay);

  // The same where `overlay` differs from the state only in rows that enter at `from` or above: the
  // layers below are not run again. REQUIRES: `from` is a half-layer of the searched tensors.
  std::vector<double> evaluate_overlay(const model::RowOverlay& overlay, HalfLayer from);

  // The state from which candidates are flipped. Returns its item scores.
  std::vector<double> set_state(model::RowOverlay overlay);

  // Item scores (flips, items), each flip alone on top of the state.
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips);
  // The same over some sequences only, ascending; items with terms elsewhere get meaningless
  // scores.
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips,
                                     std::span<const std::uint32_t> sequences);

  // Work of one evaluation in tokens × half-layers: of a flip, and of a full pass.
  std::uint64_t flip_cost(TensorAddress tensor) const;
  std::uint64_t full_cost() const;
  // Of a pass from a half-layer upwards.
  std::uint64_t cost_from(HalfLayer from) const;

 private:
  // The activations of all tokens in the half-layer that candidates currently enter.
  struct Trace {
    HalfLayer place;
    bool valid = false;
    kernels::ActivationBlock normalised;
    model::AttentionProjections attention;
    model::FfnProjections ffn;
    std::vector<float> hidden;  // activation(gate) · up
  };
  // A block under construction: some evaluations of some sequences.
  struct Block {
    std::size_t tokens = 0;
    std::vector<model::Segment> segments;
    std::vector<SequenceInBlock> members;
    std::vector<model::LocalRow> local;
    std::vector<float> x;
    std::vector<float> hidden;  // of blocks that enter in a feed-forward half
    model::AttentionProjections attention;
    void clear();
  };
  struct Candidate {
    patch::Flip flip;
    std::vector<std::uint8_t> bytes;  // the flipped row
    std::vector<float> column;  // what the row now contributes, by token; empty for down and o
  };
  enum class Pass { kReference, kState, kPlain };

  std::vector<double> run_all(const model::RowOverlay& overlay, Pass pass, HalfLayer from);
  void remember(HalfLayer place, std::size_t first_token);
  void load_trace(HalfLayer place);
  const std::vector<float>& projected(Projection projection) const;
  Candidate prepare(const patch::Flip& flip);
  void add(const Candidate& candidate, std::uint32_t sequence, double* values);
  void finish_block(HalfLayer place);
  void keep_scored_rows();
  void run_ffn(std::size_t layer, const model::Replacements& replacements);

  model::Transformer& transformer_;
  const Objective& objective_;
  TermScorer scorer_;
  std::vector<std::uint32_t> all_sequences_;
  std::vector<std::size_t> first_token_;  // of each sequence in the cached arrays
  std::size_t num_tokens_ = 0;
  std::size_t block_tokens_ = 0;
  std::map<HalfLayer, std::vector<float>>
      inputs_;  // residual (tokens, embedding) where candidates enter
  model::RowOverlay state_;
  std::vector<double> base_scores_;
  Trace trace_;
  Block block_;
  model::FfnProjections ffn_;
};

}  // namespace bankai::bfs
