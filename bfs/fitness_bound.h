// When a candidate can be given up before all of its scores are known.
//
// Candidates whose fitness does not exceed a threshold do not matter to a search that wants an
// improvement. Some of them are recognised early: a log-probability is at most 0, so a target with
// nothing but log-probabilities of positive weight cannot gain more than it lacks to 0, and one
// that is a probability not more than it lacks to 1; and a control can only subtract.
//
// The bound holds in floating point, not only on paper. Every score that is not known yet is
// replaced by one that is at least as good for the fitness, and the fitness is then computed by
// compute_fitness itself. That function, and the sum of an item's terms, consist of additions,
// subtractions, comparisons, and products and quotients with numbers that do not depend on scores
// and are not negative, in a fixed order. Each of them is monotone before rounding, and rounding to
// nearest is monotone, so the whole is: the result is at least what the true scores give. A score
// that is not a number makes the fitness -infinity wherever it stands.
//
// That a log-probability is at most 0 holds in floating point too. It is logit − (m + ln S) with m
// the largest logit and S a sum of exponentials that are not negative, one of them exp(0) = 1, so
// that S >= 1. kernels::log_f64 has the right sign, so the subtrahend is at least m, which is at
// least the logit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"

namespace bankai::bfs {

class FitnessBound {
 public:
  // `base`: item scores of the unpatched model. References must outlive this.
  FitnessBound(const Objective& objective, std::span<const double> base, double control_penalty,
               double threshold);

  // Whether the fitness cannot exceed the threshold, whatever the terms of the unknown sequences
  // come to. `values` (terms) are read where is_known (sequences) says so. With all sequences known
  // this is: fitness <= threshold.
  bool rejects(std::span<const double> values, std::span<const std::uint8_t> is_known) const;

 private:
  const Objective& objective_;
  std::span<const double> base_;
  double control_penalty_;
  double threshold_;
  bool is_monotone_;  // no negative weight
};

}  // namespace bankai::bfs
