// What a search asks of a kind of model: exact scores of flips. Flips and items are all it speaks
// of, so that searching is the same for every kind.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bfs/fitness_bound.h"
#include "bfs/half_layer.h"
#include "patch/flip.h"

namespace bankai::bfs {

class FlipEvaluator {
 public:
  virtual ~FlipEvaluator() = default;
  FlipEvaluator(const FlipEvaluator&) = delete;
  FlipEvaluator& operator=(const FlipEvaluator&) = delete;

  // Item scores (items) of the unpatched model.
  virtual std::span<const double> base_scores() const = 0;

  // Item scores (items) of the unpatched model with all of `flips`.
  virtual std::vector<double> evaluate_patch(std::span<const patch::Flip> flips) = 0;
  // The same where they differ from the state only in flips that enter at `from` or above.
  // REQUIRES: `from` is a half-layer of the searched tensors.
  virtual std::vector<double> evaluate_patch(std::span<const patch::Flip> flips,
                                             HalfLayer from) = 0;

  // All of `flips`: the state from which candidates are flipped. Returns its item scores.
  virtual std::vector<double> enter_patch(std::span<const patch::Flip> flips) = 0;

  // Item scores (flips, items), each flip alone on top of the state.
  virtual std::vector<double> evaluate_flips(std::span<const patch::Flip> flips) = 0;
  // The same over some sequences only, ascending; items with terms elsewhere get meaningless
  // scores.
  virtual std::vector<double> evaluate_flips(std::span<const patch::Flip> flips,
                                             std::span<const std::uint32_t> sequences) = 0;

  struct BoundedScores {
    std::vector<double> scores;             // (flips, items); without meaning for rejected flips
    std::vector<std::uint8_t> is_rejected;  // (flips)
  };
  // The same for all flips whose fitness exceeds the bound's threshold; others may be rejected.
  virtual BoundedScores evaluate_flips(std::span<const patch::Flip> flips,
                                       const FitnessBound& bound) = 0;

 protected:
  FlipEvaluator() = default;
};

}  // namespace bankai::bfs
