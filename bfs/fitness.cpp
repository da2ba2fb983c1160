#include "bfs/fitness.h"

#include <cmath>
#include <limits>

namespace bankai::bfs {
namespace {

struct WeightedMean {
  double sum = 0.0;
  double weight = 0.0;
  void add(double value, double value_weight) {
    sum += value * value_weight;
    weight += value_weight;
  }
  double mean() const { return weight > 0.0 ? sum / weight : 0.0; }
};

double number_or_worst(double value) {
  return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
}

// Items one after the other.
class FitnessSum {
 public:
  void add(const Item& item, double base, double score) {
    if (item.is_control) {
      loss_.add(score >= base ? 0.0 : base - score, item.weight);
    } else {
      gain_.add(score - base, item.weight);
    }
  }
  Fitness fitness(double control_penalty) const {
    return {number_or_worst(gain_.mean() - control_penalty * loss_.mean()), gain_.mean(),
            loss_.mean()};
  }

 private:
  WeightedMean gain_;
  WeightedMean loss_;
};

}  // namespace

Fitness compute_fitness(const Objective& objective, std::span<const double> base,
                        std::span<const double> scores, double control_penalty) {
  FitnessSum sum;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    sum.add(objective.items[i], base[i], scores[i]);
  return sum.fitness(control_penalty);
}

Fitness compute_fitness(const Objective& objective, std::span<const std::size_t> items,
                        std::span<const double> base, std::span<const double> scores,
                        double control_penalty) {
  FitnessSum sum;
  for (const std::size_t i : items) sum.add(objective.items[i], base[i], scores[i]);
  return sum.fitness(control_penalty);
}

std::vector<double> compute_set_gains(const Objective& objective, std::span<const double> base,
                                      std::span<const double> scores) {
  std::vector<WeightedMean> means;
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    const Item& item = objective.items[i];
    if (item.is_control) continue;
    if (item.set >= means.size()) means.resize(item.set + 1);
    means[item.set].add(scores[i] - base[i], item.weight);
  }
  std::vector<double> gains;
  for (const WeightedMean& mean : means) gains.push_back(number_or_worst(mean.mean()));
  return gains;
}

double target_effect(const Objective& objective, std::span<const double> before,
                     std::span<const double> after) {
  WeightedMean change;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    if (!objective.items[i].is_control) change.add(after[i] - before[i], objective.items[i].weight);
  double squares = 0.0;
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    if (objective.items[i].is_control) continue;
    const double deviation = objective.items[i].weight * (after[i] - before[i] - change.mean());
    squares += deviation * deviation;
  }
  if (change.mean() == 0.0) return 0.0;
  return change.mean() * change.weight / std::sqrt(squares);
}

double mean_score(const Objective& objective, std::span<const double> scores, bool controls) {
  WeightedMean mean;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    if (objective.items[i].is_control == controls) mean.add(scores[i], objective.items[i].weight);
  return mean.mean();
}

}  // namespace bankai::bfs
