#include "mpi/thread_communicator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace bankai::mpi {
namespace {

TEST(RunRanks, every_rank_runs_once) {
  std::atomic<int> ranks_seen{0};
  run_ranks(
      5, [&](Communicator& communicator) { ranks_seen += 1 << (8 * (communicator.rank() % 4)); });
  EXPECT_EQ(ranks_seen, 0x01010102);
}

TEST(RunRanks, teams_are_groups_of_consecutive_ranks) {
  run_ranks(
      5,
      [](Communicator& communicator) {
        const auto teams = communicator.team_of_rank();
        EXPECT_EQ(std::vector<int>(teams.begin(), teams.end()), (std::vector<int>{0, 0, 1, 1, 2}));
      },
      2);
}

TEST(RunRanks, an_exception_of_one_rank_ends_the_others_and_comes_out) {
  for (int thrower = 0; thrower < 3; ++thrower) {
    try {
      run_ranks(3, [&](Communicator& communicator) {
        communicator.barrier();
        if (communicator.rank() == thrower) throw std::runtime_error("lost");
        communicator.barrier();
        ADD_FAILURE() << "passed a barrier that one rank never reached";
      });
      ADD_FAILURE() << "no exception";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "lost");
    }
  }
}

// Ranks 0 and 1 wait for each other in one part, 2 and 3 in another.
TEST(RunRanks, an_exception_in_a_part_ends_all_ranks) {
  for (int thrower = 0; thrower < 4; ++thrower) {
    try {
      run_ranks(4, [&](Communicator& communicator) {
        const auto part = communicator.split(communicator.rank() / 2);
        part->barrier();
        if (communicator.rank() == thrower) throw std::runtime_error("lost");
        if (communicator.rank() / 2 == thrower / 2) part->barrier();
        communicator.barrier();
        ADD_FAILURE() << "passed a barrier that one rank never reached";
      });
      ADD_FAILURE() << "no exception";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "lost");
    }
  }
}

TEST(RunRanksDeathTest, a_part_that_one_rank_leaves_is_reported) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(run_ranks(2,
                         [](Communicator& communicator) {
                           const auto part = communicator.split(0);
                           if (communicator.rank() == 0) part->barrier();
                         }),
               "a rank returned while others wait for it");
}

TEST(RunRanksDeathTest, vectors_of_different_lengths_are_not_reduced) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(run_ranks(2,
                         [](Communicator& communicator) {
                           std::vector<std::int64_t> values(
                               3 + static_cast<std::size_t>(communicator.rank()));
                           communicator.all_reduce(values, ReduceOp::kSum);
                         }),
               "different lengths");
}

TEST(RunRanksDeathTest, ranks_that_call_different_collectives_are_stopped) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(run_ranks(2,
                         [](Communicator& communicator) {
                           if (communicator.rank() == 0)
                             communicator.barrier();
                           else
                             communicator.all_gather({});
                         }),
               "different collectives");
  EXPECT_DEATH(run_ranks(2,
                         [](Communicator& communicator) {
                           communicator.all_reduce(
                               1, communicator.rank() == 0 ? ReduceOp::kSum : ReduceOp::kMin);
                         }),
               "different collectives");
}

TEST(RunRanksDeathTest, a_rank_that_leaves_while_another_waits_is_reported) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(run_ranks(2,
                         [](Communicator& communicator) {
                           if (communicator.rank() == 0) communicator.barrier();
                         }),
               "a rank returned while others wait for it");
}

}  // namespace
}  // namespace bankai::mpi
