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

}  // namespace

Fitness compute_fitness(const Objective& objective, std::span<const double> base,
                        std::span<const double> scores, double control_penalty) {
  WeightedMean gain;
  WeightedMean loss;
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    const Item& item = objective.items[i];
    if (item.is_control) {
      loss.add(scores[i] >= base[i] ? 0.0 : base[i] - scores[i], item.weight);
    } else {
      gain.add(scores[i] - base[i], item.weight);
    }
  }
  const double fitness = gain.mean() - control_penalty * loss.mean();
  return {std::isnan(fitness) ? -std::numeric_limits<double>::infinity() : fitness, gain.mean(),
          loss.mean()};
}

double mean_score(const Objective& objective, std::span<const double> scores, bool controls) {
  WeightedMean mean;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    if (objective.items[i].is_control == controls) mean.add(scores[i], objective.items[i].weight);
  return mean.mean();
}

}  // namespace bankai::bfs
