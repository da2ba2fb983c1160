#include "bfs/pareto_front.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/counter_rng.h"

namespace bankai::bfs {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ParetoPoint point(std::uint64_t bytes, std::vector<double> gains, std::uint64_t round = 0) {
  return {round, 0, bytes, std::move(gains)};
}

// Small whole numbers, so that ties and equal points are common.
std::vector<ParetoPoint> random_points(std::uint64_t seed, std::size_t count, std::size_t sets) {
  const CounterRng rng(seed);
  std::vector<ParetoPoint> points;
  for (std::size_t i = 0; i < count; ++i) {
    ParetoPoint next = point(rng.below(i * 8, 5), {}, i);
    for (std::size_t set = 0; set < sets; ++set)
      next.gains.push_back(static_cast<double>(rng.below(i * 8 + 1 + set, 5)) - 2.0);
    points.push_back(std::move(next));
  }
  return points;
}

TEST(ParetoAllows, nothing_to_fall) {
  using Gains = std::vector<double>;
  EXPECT_TRUE(pareto_allows(Gains{0.0, 1.0}, Gains{0.0, 1.0}));
  EXPECT_TRUE(pareto_allows(Gains{0.0, 1.0}, Gains{2.0, 1.0}));
  EXPECT_FALSE(pareto_allows(Gains{0.0, 1.0}, Gains{9.0, 0.999}));
  EXPECT_TRUE(pareto_allows(Gains{-1.0}, Gains{-0.5}));
  EXPECT_FALSE(pareto_allows(Gains{0.0, 0.0}, Gains{1.0, kNan}));
  EXPECT_TRUE(pareto_allows(Gains{}, Gains{}));
}

TEST(Dominates, is_a_strict_partial_order) {
  const std::vector<ParetoPoint> points = random_points(1, 40, 2);
  for (const ParetoPoint& a : points) {
    EXPECT_FALSE(dominates(a, a));
    for (const ParetoPoint& b : points) {
      EXPECT_FALSE(dominates(a, b) && dominates(b, a));
      for (const ParetoPoint& c : points)
        EXPECT_TRUE(!dominates(a, b) || !dominates(b, c) || dominates(a, c));
    }
  }
}

TEST(Dominates, counts_bytes_as_well_as_gains) {
  EXPECT_TRUE(dominates(point(10, {1.0, 1.0}), point(11, {1.0, 1.0})));
  EXPECT_TRUE(dominates(point(10, {1.0, 2.0}), point(10, {1.0, 1.0})));
  EXPECT_FALSE(dominates(point(10, {1.0, 0.0}), point(11, {0.0, 1.0})));
  EXPECT_FALSE(dominates(point(11, {2.0}), point(10, {1.0})));
}

// Against the definition: the points that no other dominates, the first of equal ones.
TEST(AddToFront, keeps_what_nothing_dominates) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<ParetoPoint> points = random_points(seed, 30, 1 + seed % 3);
    ParetoFront front;
    for (const ParetoPoint& each : points) {
      const ParetoFront before = front;
      const bool is_added = add_to_front(front, each);
      EXPECT_TRUE(is_added || front == before);
    }
    std::vector<ParetoPoint> expected;
    for (const ParetoPoint& each : points) {
      const bool is_beaten =
          std::any_of(points.begin(), points.end(), [&](const ParetoPoint& other) {
            return dominates(other, each) ||
                   (other.round < each.round && other.gains == each.gains &&
                    other.patch_bytes == each.patch_bytes);
          });
      if (!is_beaten) expected.push_back(each);
    }
    std::stable_sort(
        expected.begin(), expected.end(),
        [](const ParetoPoint& a, const ParetoPoint& b) { return a.patch_bytes < b.patch_bytes; });
    EXPECT_EQ(front, expected) << "seed " << seed;
  }
}

TEST(AddToFront, refuses_gains_that_are_not_finite) {
  ParetoFront front;
  for (const double bad : {kNan, -std::numeric_limits<double>::infinity()})
    EXPECT_FALSE(add_to_front(front, point(1, {1.0, bad})));
  EXPECT_TRUE(front.empty());
}

TEST(ToJson, says_all_fields) {
  EXPECT_EQ(to_json({}), "[]");
  const ParetoFront front = {{3, 5, 60, {0.5, -0.25}}};
  EXPECT_EQ(to_json(front), R"([{"round":3,"flips":5,"patch_bytes":60,"gains":[0.5,-0.25]}])");
}

}  // namespace
}  // namespace bankai::bfs
