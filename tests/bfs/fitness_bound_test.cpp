#include "bfs/fitness_bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bfs/fitness.h"
#include "core/counter_rng.h"
#include "kernels/scalar_math.h"

namespace bankai::bfs {
namespace {

// Term values that a forward pass could give: log-probabilities and divergences.
struct Case {
  Objective objective;
  std::vector<double> base;    // (items)
  std::vector<double> values;  // (terms)
  double penalty = 0.0;
};

std::vector<double> item_scores(const Objective& objective, const std::vector<double>& values) {
  std::vector<double> scores;
  for (const Item& item : objective.items) {
    double sum = 0.0;
    for (std::size_t i = item.first_term; i < item.last_term; ++i)
      sum += objective.terms[i].coefficient * values[i];
    scores.push_back(item_score(item, sum));
  }
  return scores;
}

Case random_case(std::uint64_t seed) {
  const CounterRng rng(seed);
  std::uint64_t next = 0;
  Case made;
  Objective& objective = made.objective;
  const bool has_margins = rng.below(next++, 3) == 0;
  const bool has_probabilities = rng.below(next++, 3) == 0;
  objective.sequences.resize(6, {1, 2, 3});
  std::vector<double> before;
  for (std::uint64_t count = 1 + rng.below(next++, 6); objective.items.size() < count;) {
    const bool is_control = rng.below(next++, 2) == 0;
    const std::size_t first = objective.terms.size();
    for (std::uint64_t terms = 1 + rng.below(next++, 3); terms > 0; --terms) {
      Term term;
      term.sequence = static_cast<std::uint32_t>(rng.below(next++, objective.sequences.size()));
      const bool is_divergence = is_control && rng.below(next++, 3) == 0;
      term.token = is_divergence ? kWholeDistribution : 5;
      term.coefficient = is_divergence                              ? -0.25
                         : has_margins && rng.below(next++, 2) == 0 ? -1.0
                                                                    : rng.uniform(next++);
      objective.terms.push_back(term);
      const double sign = is_divergence ? 1.0 : -1.0;
      // Small changes of small and of large values, zeros, and now and then a broken one.
      const auto halvings = static_cast<int>(rng.below(next++, 30));
      const double value = sign * std::ldexp(rng.uniform(next++), -halvings);
      before.push_back(value);
      const std::uint64_t kind = rng.below(next++, 12);
      made.values.push_back(kind == 0   ? 0.0
                            : kind == 1 ? std::numeric_limits<double>::quiet_NaN()
                            : kind == 2 ? value
                                        : value * rng.uniform(next++) * 2.0);
    }
    objective.items.push_back(
        {"item", 0.1 + rng.uniform(next++), is_control, first, objective.terms.size()});
    objective.items.back().is_probability = has_probabilities;
  }
  made.base = item_scores(objective, before);
  made.penalty = rng.below(next++, 3) == 0 ? 0.0 : 2.0 * rng.uniform(next++);
  return made;
}

TEST(FitnessBound, never_rejects_what_exceeds_the_threshold) {
  std::size_t num_early = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const Case one = random_case(seed);
    const Objective& objective = one.objective;
    const double fitness =
        compute_fitness(objective, one.base, item_scores(objective, one.values), one.penalty)
            .fitness;
    // The nearest thresholds below and above are the hardest.
    for (const double threshold :
         {fitness, std::nextafter(fitness, -INFINITY), std::nextafter(fitness, INFINITY), 0.0,
          fitness - 0.1, fitness + 0.1}) {
      const FitnessBound bound(objective, one.base, one.penalty, threshold);
      for (unsigned known = 0; known < (1U << objective.sequences.size()); ++known) {
        std::vector<std::uint8_t> is_known;
        std::vector<double> values = one.values;
        for (std::size_t s = 0; s < objective.sequences.size(); ++s)
          is_known.push_back((known >> s) & 1U);
        for (std::size_t i = 0; i < values.size(); ++i)
          if (is_known[objective.terms[i].sequence] == 0) values[i] = 1e300;  // must not be read
        const bool rejects = bound.rejects(values, is_known);
        if (rejects) {
          ASSERT_LE(fitness, threshold) << "seed " << seed;
        }
        const bool is_complete = known + 1 == (1U << objective.sequences.size());
        if (is_complete) {
          ASSERT_EQ(rejects, fitness <= threshold) << "seed " << seed;
        }
        num_early += rejects && !is_complete ? 1U : 0U;
      }
    }
  }
  EXPECT_GT(num_early, 100000U);  // else this would prove little
}

TEST(FitnessBound, a_target_without_a_bound_keeps_the_candidate) {
  Objective objective;
  objective.sequences = {{1}, {2}};
  objective.terms = {{0, 0, 5, 1.0}, {1, 0, 6, -1.0}};
  objective.items = {{"margin", 1.0, false, 0, 2}};
  const std::vector<double> base = {0.0};
  const FitnessBound bound(objective, base, 1.0, 1e6);
  const std::vector<double> values = {-50.0, -1.0};
  const std::vector<std::uint8_t> first_alone = {1, 0};
  const std::vector<std::uint8_t> second_alone = {0, 1};
  EXPECT_FALSE(bound.rejects(values, first_alone));
  EXPECT_TRUE(bound.rejects(values, second_alone));  // at most 0 + 1
}

TEST(FitnessBound, negative_weights_have_no_bound) {
  Objective objective;
  objective.sequences = {{1}};
  objective.terms = {{0, 0, 5, 1.0}};
  objective.items = {{"target", 1.0, false, 0, 1}};
  const std::vector<double> base = {0.0};
  const std::vector<double> values = {-1.0};
  const std::vector<std::uint8_t> none = {0};
  EXPECT_TRUE(FitnessBound(objective, base, 1.0, 0.0).rejects(values, none));
  EXPECT_FALSE(FitnessBound(objective, base, -1.0, 0.0).rejects(values, none));
  objective.items[0].weight = -1.0;
  EXPECT_FALSE(FitnessBound(objective, base, 1.0, 0.0).rejects(values, none));
}

// What the bound of a log-probability rests on.
TEST(FitnessBound, the_logarithm_of_what_is_at_least_one_is_not_negative) {
  EXPECT_EQ(kernels::log_f64(1.0), 0.0);
  double x = 1.0;
  for (int i = 0; i < 1000; ++i) {
    x = std::nextafter(x, 2.0);
    EXPECT_GE(kernels::log_f64(x), 0.0);
  }
}

}  // namespace
}  // namespace bankai::bfs
