#include "mpi/core_share.h"

#include <thread>

#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

using CoreSets = std::vector<std::vector<int>>;

std::vector<int> shares(const CoreSets& cores_of_rank, const std::vector<int>& teams) {
  std::vector<int> result;
  for (std::size_t rank = 0; rank < cores_of_rank.size(); ++rank)
    result.push_back(share_cores(cores_of_rank, teams, rank));
  return result;
}

TEST(ShareCores, a_rank_alone_has_all_its_cores) {
  EXPECT_EQ(shares({{0, 1, 5}}, {0}), (std::vector<int>{3}));
}

TEST(ShareCores, bound_ranks_have_their_own) {
  EXPECT_EQ(shares({{0, 1}, {2, 3, 4}}, {0, 0}), (std::vector<int>{2, 3}));
}

TEST(ShareCores, unbound_ranks_of_a_node_divide_them) {
  const std::vector<int> six = {0, 1, 2, 3, 4, 5};
  EXPECT_EQ(shares({six, six}, {0, 0}), (std::vector<int>{3, 3}));
  EXPECT_EQ(shares({six, six, six}, {0, 0, 0}), (std::vector<int>{2, 2, 2}));
  EXPECT_EQ(shares({six, six, six}, {0, 0, 1}), (std::vector<int>{3, 3, 6}));
}

TEST(ShareCores, more_ranks_than_cores_have_one_each) {
  EXPECT_EQ(shares({{0}, {0}, {0}}, {0, 0, 0}), (std::vector<int>{1, 1, 1}));
}

TEST(ShareCores, overlapping_masks_share_the_overlap) {
  EXPECT_EQ(shares({{0, 1, 2, 3}, {2, 3}}, {0, 0}), (std::vector<int>{3, 1}));
}

using CoresForThisRankTest = OnRanks;

TEST_P(CoresForThisRankTest, is_between_one_and_the_cores_of_the_machine) {
  run([](Communicator& communicator) {
    const int cores = cores_for_this_rank(communicator);
    EXPECT_GE(cores, 1);
    EXPECT_LE(cores, static_cast<int>(std::thread::hardware_concurrency()));
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(CoresForThisRankTest);

}  // namespace
}  // namespace bankai::mpi
