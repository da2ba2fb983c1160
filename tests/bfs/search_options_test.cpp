#include "bfs/search_options.h"

#include <gtest/gtest.h>

namespace bankai::bfs {
namespace {

TEST(StrategyName, names_lead_back_and_each_has_a_limit) {
  for (const StrategyName& entry : all_strategies()) {
    EXPECT_EQ(find_strategy(entry.name), entry.kind);
    EXPECT_EQ(strategy_name(entry.kind).name, entry.name);
    EXPECT_FALSE(entry.help.empty());
    EXPECT_GT(entry.default_iterations, 0U);
  }
  EXPECT_EQ(find_strategy("hill_climb"), std::nullopt);
  EXPECT_EQ(find_strategy(""), std::nullopt);
}

}  // namespace
}  // namespace bankai::bfs
