#include "mpi/group_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "mpi/scheduling.h"

namespace bankai::mpi {
namespace {

TEST(GroupLayout, every_rank_has_its_place) {
  for (int ranks = 1; ranks <= 40; ++ranks) {
    for (int shards = 1; shards <= 45; ++shards) {
      const GroupLayout layout(ranks, shards);
      ASSERT_EQ(layout.num_ranks(), ranks);
      ASSERT_EQ(layout.num_groups(), std::max(1, ranks / shards));
      int next = 0;
      for (int group = 0; group < layout.num_groups(); ++group) {
        const auto size = static_cast<int>(layout.ranks_of(group).size());
        EXPECT_GE(size, std::min(shards, ranks)) << "every group can hold the data";
        EXPECT_LE(size, static_cast<int>(layout.ranks_of(0).size()));
        EXPECT_GE(size, static_cast<int>(layout.ranks_of(0).size()) - 1);
        for (int shard = 0; shard < size; ++shard, ++next) {
          EXPECT_EQ(layout.group_of(next), group);
          EXPECT_EQ(layout.shard_of(next), shard);
          EXPECT_EQ(layout.num_shards(next), size);
        }
      }
      EXPECT_EQ(next, ranks) << "no rank is left over";
    }
  }
}

TEST(GroupLayout, one_shard_makes_every_rank_a_group) {
  const GroupLayout layout(5, 1);
  EXPECT_EQ(layout.num_groups(), 5);
  for (int rank = 0; rank < 5; ++rank) EXPECT_EQ(layout.shard_of(rank), 0);
}

TEST(GroupLayoutDeathTest, nothing_to_lay_out) {
  EXPECT_DEATH(GroupLayout(0, 1), "no ranks");
  EXPECT_DEATH(GroupLayout(1, 0), "no ranks");
  EXPECT_DEATH(GroupLayout(3, 1).group_of(3), "no such rank");
}

// Against the shares themselves.
TEST(ShardsThatFit, no_share_is_above_the_limit) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::vector<std::uint64_t> items;
    for (std::uint64_t i = 0; i < 3 + seed; ++i) items.push_back(1 + (i * 37 + seed * 11) % 23);
    const DataSize data{std::accumulate(items.begin(), items.end(), std::uint64_t{0}),
                        *std::max_element(items.begin(), items.end())};
    for (const std::uint64_t limit : {10U, 24U, 40U, 100U, 300U, 2000U}) {
      constexpr int kRanks = 12;
      const int shards = shards_that_fit(data, limit, kRanks);
      ASSERT_GE(shards, 1);
      ASSERT_LE(shards, kRanks);
      if (data.total <= limit) {
        EXPECT_EQ(shards, 1);
      }
      if (shards == kRanks) continue;  // may not fit
      const std::vector<std::uint32_t> weights(static_cast<std::size_t>(shards), 1);
      for (const IndexRange share : share_by_cost(items, weights)) {
        std::uint64_t size = 0;
        for (std::size_t i = share.begin; i < share.end; ++i) size += items[i];
        EXPECT_LE(size, limit);
      }
    }
  }
}

TEST(ShardsThatFit, grows_only_as_far_as_needed_and_possible) {
  EXPECT_EQ(shards_that_fit({0, 0}, 0, 8), 1);
  EXPECT_EQ(shards_that_fit({100, 1}, 100, 8), 1);
  EXPECT_EQ(shards_that_fit({100, 1}, 51, 8), 2);
  EXPECT_EQ(shards_that_fit({100, 1}, 50, 8), 3);
  EXPECT_EQ(shards_that_fit({100, 1}, 2, 8), 8);
  EXPECT_EQ(shards_that_fit({100, 60}, 50, 8), 8);
  EXPECT_EQ(shards_that_fit({100, 1}, 10, 1), 1);
  EXPECT_EQ(shards_that_fit({UINT64_MAX, 1}, UINT64_MAX / 2 + 2, 8), 2);
}

}  // namespace
}  // namespace bankai::mpi
