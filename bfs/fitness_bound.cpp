#include "bfs/fitness_bound.h"

#include <algorithm>
#include <optional>

#include "bfs/fitness.h"

namespace bankai::bfs {
namespace {

// At least the score that the item will have, in the order of TermScorer::item_scores; nullopt if
// there is no bound.
std::optional<double> best_score(const Objective& objective, const Item& item, double base,
                                 std::span<const double> values,
                                 std::span<const std::uint8_t> is_known) {
  double sum = 0.0;
  for (std::size_t i = item.first_term; i < item.last_term; ++i) {
    const Term& term = objective.terms[i];
    if (is_known[term.sequence] != 0) {
      sum += term.coefficient * values[i];
      continue;
    }
    if (item.is_control) return base;  // no loss
    if (item.is_probability) return 1.0;
    if (term.token == kWholeDistribution || !(term.coefficient >= 0.0)) return std::nullopt;
    sum += term.coefficient * 0.0;
  }
  return item_score(item, sum);
}

}  // namespace

FitnessBound::FitnessBound(const Objective& objective, std::span<const double> base,
                           double control_penalty, double threshold)
    : objective_(objective),
      base_(base),
      control_penalty_(control_penalty),
      threshold_(threshold),
      is_monotone_(control_penalty >= 0.0 &&
                   std::all_of(objective.items.begin(), objective.items.end(),
                               [](const Item& item) { return item.weight >= 0.0; })) {}

bool FitnessBound::rejects(std::span<const double> values,
                           std::span<const std::uint8_t> is_known) const {
  const bool all_known =
      std::all_of(objective_.terms.begin(), objective_.terms.end(),
                  [&](const Term& term) { return is_known[term.sequence] != 0; });
  if (!is_monotone_ && !all_known) return false;
  std::vector<double> scores;
  scores.reserve(objective_.items.size());
  for (std::size_t i = 0; i < objective_.items.size(); ++i) {
    const auto score = best_score(objective_, objective_.items[i], base_[i], values, is_known);
    if (!score) return false;
    scores.push_back(*score);
  }
  return compute_fitness(objective_, base_, scores, control_penalty_).fitness <= threshold_;
}

}  // namespace bankai::bfs
