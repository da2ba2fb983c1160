#include "packer/budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/counter_rng.h"

namespace bankai::packer {
namespace {

std::vector<BudgetItem> random_items(std::uint64_t seed) {
  CounterRng rng(seed);
  std::uint64_t counter = 0;
  const auto draw = [&](std::uint64_t below) { return rng.below(counter++, below); };
  std::vector<BudgetItem> items(1 + draw(4));
  for (BudgetItem& item : items) {
    item.resize(1 + draw(4));
    for (BudgetOption& option : item)
      option = {draw(40), static_cast<double>(draw(100)) / 8.0 - 1.0};
  }
  return items;
}

// Every choice there is.
template <typename Visit>
void for_each_choice(const std::vector<BudgetItem>& items, const Visit& visit) {
  std::vector<std::size_t> options(items.size(), 0);
  while (true) {
    visit(options);
    std::size_t item = 0;
    while (item < items.size() && ++options[item] == items[item].size()) options[item++] = 0;
    if (item == items.size()) return;
  }
}

TEST(BudgetCurve, NearTheBestOfAllChoicesAndNeverOver) {
  std::size_t exact = 0, tried = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<BudgetItem> items = random_items(seed);
    const BudgetCurve curve(items);
    double largest_step = 0.0;
    for (std::size_t i = 1; i < curve.num_points(); ++i)
      largest_step = std::max(largest_step, curve.point(i).loss - curve.point(i - 1).loss);
    for (std::uint64_t budget = 0; budget < 170; budget += 7) {
      double best = std::numeric_limits<double>::infinity();
      for_each_choice(items, [&](const std::vector<std::size_t>& options) {
        const Selection choice = curve.selection(options);
        if (choice.bytes <= budget) best = std::min(best, choice.loss);
      });
      const std::optional<Selection> found = curve.best_within(budget);
      ASSERT_EQ(found.has_value(), std::isfinite(best)) << seed;
      ASSERT_EQ(found.has_value(), budget >= curve.smallest_bytes()) << seed;
      if (!found) continue;
      EXPECT_LE(found->bytes, budget) << seed;
      EXPECT_LE(found->loss, best + largest_step + 1e-9) << seed << " " << budget;
      const Selection again = curve.selection(found->options);
      EXPECT_EQ(again.bytes, found->bytes);
      EXPECT_EQ(again.loss, found->loss);
      ++tried;
      if (found->loss <= best + 1e-9) ++exact;
    }
  }
  EXPECT_GT(exact, tried * 9 / 10);
}

TEST(BudgetCurve, PointsOfThePathAreTheBestOfTheirSize) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<BudgetItem> items = random_items(seed);
    const BudgetCurve curve(items);
    for (std::size_t i = 0; i < curve.num_points(); ++i) {
      const Selection point = curve.point(i);
      double best = point.loss;
      for_each_choice(items, [&](const std::vector<std::size_t>& options) {
        const Selection choice = curve.selection(options);
        if (choice.bytes <= point.bytes) best = std::min(best, choice.loss);
      });
      EXPECT_NEAR(point.loss, best, 1e-9) << seed << " point " << i;
      const std::optional<Selection> found = curve.best_within(point.bytes);
      ASSERT_TRUE(found.has_value());
      EXPECT_NEAR(found->loss, point.loss, 1e-9);
    }
  }
}

TEST(BudgetCurve, SizesFallAndLossesRiseAlongThePath) {
  const BudgetCurve curve(random_items(7));
  for (std::size_t i = 1; i < curve.num_points(); ++i) {
    EXPECT_LT(curve.point(i).bytes, curve.point(i - 1).bytes);
    EXPECT_GE(curve.point(i).loss, curve.point(i - 1).loss);
  }
}

TEST(BudgetCurve, NoItemsNeedNoBytes) {
  const BudgetCurve curve({});
  EXPECT_EQ(curve.smallest_bytes(), 0U);
  ASSERT_TRUE(curve.best_within(0).has_value());
}

}  // namespace
}  // namespace bankai::packer
