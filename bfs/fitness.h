// The one definition of fitness, used by every strategy and printed with every result:
//   mean over targets of (score − score of the unpatched model)
//   − λ · mean over controls of max(0, score of the unpatched model − score)
// with means weighted by the items' weights.
#pragma once

#include <span>
#include <vector>

#include "bfs/objective.h"

namespace bankai::bfs {

struct Fitness {
  double fitness = 0.0;
  double target_gain = 0.0;   // weighted mean change of the targets' scores
  double control_loss = 0.0;  // weighted mean loss of the controls, each at least 0
};

// Sums go over items in order. `base` and `scores` have one entry per item. Where a score is not a
// number (a flip that breaks the arithmetic) the fitness is -infinity: it ranks last.
Fitness compute_fitness(const Objective& objective, std::span<const double> base,
                        std::span<const double> scores, double control_penalty);
// The same of some of the items (indices) alone.
Fitness compute_fitness(const Objective& objective, std::span<const std::size_t> items,
                        std::span<const double> base, std::span<const double> scores,
                        double control_penalty);

// Weighted mean change of the targets' scores of each target set (sets); -infinity where it is not
// a number.
std::vector<double> compute_set_gains(const Objective& objective, std::span<const double> base,
                                      std::span<const double> scores);

// The weighted mean change of the targets' scores, in standard errors of it over the targets: how
// far it stands out from their spread. Infinite, of the mean's sign, where there is no spread; 0
// for no change.
double target_effect(const Objective& objective, std::span<const double> before,
                     std::span<const double> after);

// Weighted mean score of the targets, or of the controls; 0 if there are none.
double mean_score(const Objective& objective, std::span<const double> scores, bool controls);

}  // namespace bankai::bfs
