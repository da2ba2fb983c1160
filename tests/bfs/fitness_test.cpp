#include "bfs/fitness.h"

#include <gtest/gtest.h>

#include <limits>

namespace bankai::bfs {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Item target(double weight) { return {"target", weight, false, 0, 0}; }
Item control(double weight) { return {"control", weight, true, 0, 0}; }

Objective objective_of(std::vector<Item> items) {
  Objective objective;
  objective.items = std::move(items);
  return objective;
}

TEST(Fitness, is_the_weighted_gain_minus_the_weighted_loss) {
  const Objective objective =
      objective_of({target(1.0), control(1.0), target(3.0), control(4.0), control(5.0)});
  const std::vector<double> base = {-2.0, -1.0, -4.0, -3.0, -0.5};
  const std::vector<double> scores = {-1.0, -1.5, -2.0, -2.0, -1.5};
  // Gain (1·1 + 3·2) / 4; losses 0.5 of weight 1, 0 of weight 4 (it gained), 1 of weight 5,
  // over 10.
  const Fitness fitness = compute_fitness(objective, base, scores, 2.0);
  EXPECT_DOUBLE_EQ(fitness.target_gain, 1.75);
  EXPECT_DOUBLE_EQ(fitness.control_loss, 0.55);
  EXPECT_DOUBLE_EQ(fitness.fitness, 1.75 - 2.0 * 0.55);
}

TEST(Fitness, of_the_unpatched_model_is_zero) {
  const Objective objective = objective_of({target(1.0), control(0.3)});
  const std::vector<double> base = {-2.1, -1.7};
  const Fitness fitness = compute_fitness(objective, base, base, 2.0);
  EXPECT_EQ(fitness.fitness, 0.0);
  EXPECT_EQ(fitness.target_gain, 0.0);
  EXPECT_EQ(fitness.control_loss, 0.0);
}

TEST(Fitness, does_without_controls_and_without_targets) {
  const std::vector<double> base = {-1.0};
  const std::vector<double> scores = {-3.0};
  EXPECT_DOUBLE_EQ(compute_fitness(objective_of({target(1.0)}), base, scores, 2.0).fitness, -2.0);
  EXPECT_DOUBLE_EQ(compute_fitness(objective_of({control(1.0)}), base, scores, 1.5).fitness, -3.0);
  EXPECT_EQ(compute_fitness(objective_of({}), {}, {}, 2.0).fitness, 0.0);
}

TEST(Fitness, a_control_that_improves_does_not_pay_for_one_that_suffers) {
  const Objective objective = objective_of({control(1.0), control(1.0)});
  const std::vector<double> base = {-1.0, -1.0};
  EXPECT_DOUBLE_EQ(compute_fitness(objective, base, std::vector{9.0, -2.0}, 1.0).fitness, -0.5);
}

// A candidate that breaks the arithmetic must rank last, and must not upset a sort.
TEST(Fitness, of_a_broken_model_is_below_all_others) {
  const Objective objective = objective_of({target(1.0), control(1.0)});
  const std::vector<double> base = {-1.0, -1.0};
  for (const double bad : {kNan, -kInfinity}) {
    EXPECT_EQ(compute_fitness(objective, base, std::vector{bad, -1.0}, 2.0).fitness, -kInfinity);
    EXPECT_EQ(compute_fitness(objective, base, std::vector{-0.5, bad}, 2.0).fitness, -kInfinity);
    EXPECT_EQ(compute_fitness(objective, base, std::vector{bad, bad}, 2.0).fitness, -kInfinity);
  }
}

TEST(SetGains, are_the_weighted_gains_of_each_target_set) {
  Objective objective = objective_of({target(1.0), target(3.0), control(1.0), target(2.0)});
  objective.items[2].set = 5;
  objective.items[3].set = 2;
  const std::vector<double> base = {-2.0, -4.0, -1.0, -1.0};
  const std::vector<double> scores = {-1.0, -2.0, -9.0, -1.5};
  // Set 1 has no items; controls count nowhere.
  EXPECT_EQ(compute_set_gains(objective, base, scores), (std::vector{1.75, 0.0, -0.5}));
  EXPECT_EQ(compute_set_gains(objective, base, base), (std::vector{0.0, 0.0, 0.0}));
  EXPECT_EQ(compute_set_gains(objective, base, std::vector{kNan, 0.0, 0.0, -1.0}),
            (std::vector{-kInfinity, 0.0, 0.0}));
  EXPECT_TRUE(compute_set_gains(objective_of({control(1.0)}), {}, {}).empty());
}

TEST(SetGains, of_one_set_are_the_target_gain) {
  const Objective objective = objective_of({target(1.0), control(1.0), target(3.0)});
  const std::vector<double> base = {-2.0, -1.0, -4.0};
  const std::vector<double> scores = {-1.3, -1.5, -2.9};
  EXPECT_EQ(compute_set_gains(objective, base, scores),
            std::vector{compute_fitness(objective, base, scores, 2.0).target_gain});
}

TEST(MeanScore, weighs_one_kind_of_items) {
  const Objective objective = objective_of({target(1.0), control(2.0), target(3.0)});
  const std::vector<double> scores = {-1.0, -7.0, -3.0};
  EXPECT_DOUBLE_EQ(mean_score(objective, scores, false), -2.5);
  EXPECT_DOUBLE_EQ(mean_score(objective, scores, true), -7.0);
  EXPECT_EQ(mean_score(objective_of({target(1.0)}), std::vector{-1.0}, true), 0.0);
}

}  // namespace
}  // namespace bankai::bfs
