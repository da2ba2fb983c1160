#include "bfs/predicted_change.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "bfs/item_sample.h"

namespace bankai::bfs {
namespace {

// Two targets of weights 1 and 3, two controls of weight 1; all log-probabilities but the last.
Objective make_objective() {
  Objective objective;
  objective.sequences = {{1, 2}};
  for (const double coefficient : {1.0, 1.0, 1.0, -1.0})
    objective.terms.push_back({0, 1, 7, coefficient});
  objective.items = {{"a", 1.0, false, 0, 1, 0},
                     {"b", 3.0, false, 1, 2, 0},
                     {"c", 1.0, true, 2, 3, 0},
                     {"d", 1.0, true, 3, 4, 0}};
  return objective;
}

std::array<float, 2> effect_of(const ItemEffect& effect, float s) {
  std::array<float, 1> gain = {}, loss = {};
  add_effect(effect, std::array{s}, gain, loss);
  return {gain[0], loss[0]};
}

TEST(PredictedChange, sums_are_exact_whatever_their_order) {
  std::int64_t forward = 0, backward = 0;
  for (int i = 0; i < 1000; ++i) forward += PredictedChange::to_fixed(std::sin(i) * 1e-3);
  for (int i = 1000; i-- > 0;) backward += PredictedChange::to_fixed(std::sin(i) * 1e-3);
  EXPECT_EQ(forward, backward);
  for (const double value : {0.0, 1e-9, -0.125, 3.75, -99.0, 100.0})
    EXPECT_NEAR(PredictedChange::to_double(PredictedChange::to_fixed(value)), value, 1e-12);
}

TEST(PredictedChange, what_is_no_number_counts_as_the_largest_loss) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const PredictedChange worst = PredictedChange::of(kNaN, kNaN);
  EXPECT_EQ(worst.target_gain, PredictedChange::of(-kInfinity, 0.0).target_gain);
  EXPECT_EQ(worst.control_loss, PredictedChange::of(0.0, kInfinity).control_loss);
  EXPECT_DOUBLE_EQ(worst.fitness(2.0), -3.0 * PredictedChange::kLargest);
  EXPECT_GT(worst.target_gain, std::numeric_limits<std::int64_t>::min() / 50000)
      << "room for many blocks";
}

TEST(ItemEffect, weighs_a_change_by_the_share_of_its_mean) {
  const Objective objective = make_objective();
  const std::vector<double> scores = {-1.0, -2.0, -0.5, 0.25};
  const auto effects = item_effects(objective, all_items(objective), scores, scores, false);
  EXPECT_FLOAT_EQ(effect_of(effects[0], 0.4F)[0], 0.1F);
  EXPECT_FLOAT_EQ(effect_of(effects[1], -0.4F)[0], -0.3F);
  EXPECT_FLOAT_EQ(effect_of(effects[1], 0.4F)[1], 0.0F);
}

TEST(ItemEffect, controls_lose_below_the_unpatched_score_and_never_gain_above_it) {
  const Objective objective = make_objective();
  const std::vector<double> base = {-1.0, -2.0, -0.5, 0.25};
  // c has 0.2 to lose, d is 0.3 below already.
  const std::vector<double> now = {-1.0, -2.0, -0.3, -0.05};
  const auto effects = item_effects(objective, all_items(objective), base, now, false);
  EXPECT_FLOAT_EQ(effect_of(effects[2], 1.0F)[1], 0.0F);
  EXPECT_FLOAT_EQ(effect_of(effects[2], -0.1F)[1], 0.0F);
  EXPECT_FLOAT_EQ(effect_of(effects[2], -0.3F)[1], 0.05F);
  EXPECT_FLOAT_EQ(effect_of(effects[3], 0.1F)[1], -0.05F);
  EXPECT_FLOAT_EQ(effect_of(effects[3], 1.0F)[1], -0.15F);
  EXPECT_FLOAT_EQ(effect_of(effects[3], -1.0F)[1], 0.5F);
  EXPECT_FLOAT_EQ(effect_of(effects[3], -1.0F)[0], 0.0F);
}

TEST(ItemEffect, curvature_keeps_the_slope_and_the_second_derivative_of_a_log_probability) {
  const Objective objective = make_objective();
  for (const double p : {0.05, 0.5, 0.9, 0.999}) {
    const std::vector<double> scores(4, std::log(p));
    const ItemEffect effect =
        item_effects(objective, all_items(objective), scores, scores, true)[0];
    // ln P where the logit of one of two classes moves such that the slope of s is 1.
    const auto exact = [&](double s) { return -std::log(p + (1 - p) * std::exp(-s / (1 - p))); };
    const double h = 0.02 * (1 - p);
    for (const double s : {h, -h})
      EXPECT_NEAR(4.0 * static_cast<double>(effect_of(effect, static_cast<float>(s))[0]), exact(s),
                  0.01 * std::abs(s) * h / (1 - p) + 1e-7)
          << p;
    for (const double s : {0.5, 5.0, 1e6, -0.5, -5.0, -1e6}) {
      const double bent = 4.0 * static_cast<double>(effect_of(effect, static_cast<float>(s))[0]);
      EXPECT_LE(bent, s > 0 ? s : 0.0);
      EXPECT_GE(bent, s > 0 ? 0.0 : s / (1 - p) * 1.00001) << p << " " << s;
    }
  }
}

// The softmax of two logits, one of which moves by d, has the slope P (1 − P).
TEST(ItemEffect, a_probability_bends_as_that_of_two_classes) {
  Objective objective = make_objective();
  objective.items[0].is_probability = objective.items[2].is_probability = true;
  for (const double p : {1e-6, 0.03, 0.5, 0.9, 0.999}) {
    const std::vector<double> scores = {p, -2.0, p, 0.25};
    const auto effects = item_effects(objective, all_items(objective), scores, scores, true);
    for (const double d : {-3.0, -0.1, 0.0, 0.2, 4.0}) {
      const double moved = p * std::exp(d) / (1.0 - p + p * std::exp(d));
      const auto s = static_cast<float>(d * p * (1.0 - p));
      EXPECT_NEAR(effect_of(effects[0], s)[0], (moved - p) / 4.0, 2e-5 * std::abs(moved - p) + 1e-9)
          << p << " " << d;
      EXPECT_NEAR(effect_of(effects[2], s)[1], std::max(0.0, p - moved) / 2.0,
                  2e-5 * std::abs(moved - p) + 1e-9);
    }
  }
  const std::vector<double> none = {0.0, -2.0, 1.0, 0.25};
  const auto effects = item_effects(objective, all_items(objective), none, none, true);
  EXPECT_EQ(effect_of(effects[0], 0.0F)[0], 0.0F);
  EXPECT_EQ(effect_of(effects[2], 0.0F)[1], 0.0F);
}

TEST(ItemEffect, curvature_is_for_log_probabilities_alone) {
  const Objective objective = make_objective();
  const std::vector<double> scores(4, -0.1);
  const auto effects = item_effects(objective, all_items(objective), scores, scores, true);
  EXPECT_GT(effects[2].curvature, 0.0F);
  EXPECT_EQ(effects[3].curvature, 0.0F) << "a difference of log-probabilities";
}

}  // namespace
}  // namespace bankai::bfs
