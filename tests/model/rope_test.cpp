#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bankai::model {
namespace {

RopeParameters plain(std::size_t dimensions = 64, double base = 10000.0) {
  RopeParameters rope;
  rope.dimensions = dimensions;
  rope.freq_base = base;
  return rope;
}

RopeParameters yarn(double factor, double original_context) {
  RopeParameters rope = plain(128, 1e6);
  rope.scaling = RopeScaling::kYarn;
  rope.factor = factor;
  rope.original_context = original_context;
  return rope;
}

// Radians per position and the magnitude of a pair, read off its row at position 1.
double frequency(const RopeTable& table, std::size_t pair) {
  return std::atan2(static_cast<double>(table.sin(1)[pair]),
                    static_cast<double>(table.cos(1)[pair]));
}
double magnitude(const RopeTable& table, std::size_t pair) {
  return std::hypot(static_cast<double>(table.sin(1)[pair]),
                    static_cast<double>(table.cos(1)[pair]));
}

TEST(RopePairs, AreSplitAndJoinedAgain) {
  std::vector<float> head = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<float> original = head;
  split_pairs(head.data(), 4);  // the last element is not rotated
  EXPECT_EQ(head, (std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7, 8}));
  join_pairs(head.data(), 4);
  EXPECT_EQ(head, original);
}

TEST(RopeTable, PlainAnglesFollowTheDefinition) {
  for (const std::size_t dimensions : {2U, 32U, 80U, 128U}) {
    RopeTable table(plain(dimensions));
    table.extend_to(2000);
    ASSERT_EQ(table.half(), dimensions / 2);
    for (const std::size_t position : {0U, 1U, 17U, 1999U}) {
      for (std::size_t pair = 0; pair < table.half(); ++pair) {
        const double angle =
            static_cast<double>(position) *
            std::pow(10000.0, -2.0 * static_cast<double>(pair) / static_cast<double>(dimensions));
        EXPECT_NEAR(static_cast<double>(table.cos(position)[pair]), std::cos(angle), 6e-8);
        EXPECT_NEAR(static_cast<double>(table.sin(position)[pair]), std::sin(angle), 6e-8);
      }
    }
  }
}

TEST(RopeTable, GrowsWithoutChangingWhatIsThere) {
  RopeTable grown(yarn(4.0, 8192));
  for (const std::size_t count : {1U, 2U, 50U, 49U, 300U}) grown.extend_to(count);
  RopeTable whole(yarn(4.0, 8192));
  whole.extend_to(300);
  for (std::size_t position = 0; position < 300; ++position) {
    for (std::size_t pair = 0; pair < whole.half(); ++pair) {
      EXPECT_EQ(grown.cos(position)[pair], whole.cos(position)[pair]);
      EXPECT_EQ(grown.sin(position)[pair], whole.sin(position)[pair]);
    }
  }
}

TEST(RopeTable, LinearScalingSlowsPositionsDown) {
  RopeParameters scaled = plain();
  scaled.scaling = RopeScaling::kLinear;
  scaled.factor = 4.0;
  RopeTable slow(scaled);
  RopeTable table(plain());
  slow.extend_to(400);
  table.extend_to(100);
  for (std::size_t position = 0; position < 100; ++position)
    for (std::size_t pair = 0; pair < table.half(); ++pair)
      EXPECT_NEAR(static_cast<double>(slow.cos(4 * position)[pair]),
                  static_cast<double>(table.cos(position)[pair]), 1e-7);
}

TEST(RopeTable, YarnKeepsFastPairsAndInterpolatesSlowOnes) {
  constexpr double kFactor = 4.0;
  constexpr double kContext = 8192.0;
  RopeTable table(yarn(kFactor, kContext));
  table.extend_to(2);
  std::size_t kept = 0;
  std::size_t slowed = 0;
  double last_share = 1.0;
  for (std::size_t pair = 0; pair < table.half(); ++pair) {
    const double own = std::pow(1e6, -2.0 * static_cast<double>(pair) / 128.0);
    const double turns = own * kContext / 6.283185307179586;
    const double ratio = frequency(table, pair) / own;
    const double share = (ratio - 1.0 / kFactor) / (1.0 - 1.0 / kFactor);  // of the plain angle
    // Rounding to whole pairs moves the ends of the ramp by less than one pair, a factor of 1.24.
    if (turns > 32.0 * 1.25) {
      EXPECT_NEAR(share, 1.0, 1e-4) << pair;
      ++kept;
    }
    if (turns < 1.0 / 1.25) {
      EXPECT_NEAR(ratio, 1.0 / kFactor, 1e-2) << pair;  // tiny angles in single precision
      ++slowed;
    }
    if (turns > 1e-3) {
      EXPECT_LE(share, last_share + 1e-3) << "the ramp goes one way";
      last_share = share;
    }
    EXPECT_NEAR(magnitude(table, pair), 1.0 + 0.1 * std::log(kFactor), 1e-6);
  }
  EXPECT_GT(kept, 10U);
  EXPECT_GT(slowed, 10U);
}

TEST(RopeTable, YarnTakesItsFactorsFromTheFile) {
  RopeParameters parameters = yarn(4.0, 8192);
  parameters.attention_factor = 0.5;
  RopeTable table(parameters);
  table.extend_to(2);
  EXPECT_NEAR(magnitude(table, 0), 0.5 * (1.0 + 0.1 * std::log(4.0)), 1e-6);
  // A factor of 1 interpolates nothing.
  RopeTable unscaled(yarn(1.0, 8192));
  RopeTable same(plain(128, 1e6));
  unscaled.extend_to(100);
  same.extend_to(100);
  for (std::size_t pair = 0; pair < 64; ++pair)
    EXPECT_NEAR(static_cast<double>(unscaled.cos(99)[pair]),
                static_cast<double>(same.cos(99)[pair]), 1e-7);
}

}  // namespace
}  // namespace bankai::model
