#include "bfs/rank_agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bankai::bfs {
namespace {

TEST(RankAgreement, is_one_for_any_rising_function_and_minus_one_for_a_falling_one) {
  std::vector<double> a, up, down;
  for (int i = 0; i < 100; ++i) {
    a.push_back(std::sin(i * 7.0));
    up.push_back(std::exp(5.0 * a.back()));
    down.push_back(-up.back());
  }
  EXPECT_NEAR(compare_rankings(a, up).spearman, 1.0, 1e-12);
  EXPECT_LT(compare_rankings(a, up).pearson, 0.9);
  EXPECT_NEAR(compare_rankings(a, down).spearman, -1.0, 1e-12);
  EXPECT_NEAR(compare_rankings(a, a).pearson, 1.0, 1e-12);
}

// Worked by hand: ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3.
TEST(RankAgreement, equal_values_share_their_ranks) {
  const std::vector<double> a = {1.0, 2.0, 2.0, 5.0};
  const std::vector<double> b = {1.0, 2.0, 3.0, 4.0};
  EXPECT_NEAR(compare_rankings(a, b).spearman, 4.5 / std::sqrt(4.5 * 5.0), 1e-12);
}

TEST(RankAgreement, counts_how_many_of_the_best_improve) {
  std::vector<double> predicted, exact;
  for (int i = 0; i < 100; ++i) {
    predicted.push_back(i);
    exact.push_back(i >= 90 ? 0.0 : i - 70.0);  // of the best 40, 60 … 99, those in 71 … 89
  }
  EXPECT_EQ(compare_rankings(predicted, exact).top, 40U);
  EXPECT_EQ(compare_rankings(predicted, exact).top_improving, 19U);
}

TEST(RankAgreement, of_nothing_and_of_constants_is_zero) {
  EXPECT_EQ(compare_rankings({}, {}).count, 0U);
  const std::vector<double> same = {1.0, 1.0, 1.0};
  EXPECT_EQ(compare_rankings(same, same).spearman, 0.0);
  EXPECT_EQ(compare_rankings(same, same).top_improving, 3U);
}

}  // namespace
}  // namespace bankai::bfs
