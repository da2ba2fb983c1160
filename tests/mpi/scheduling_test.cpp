#include "mpi/scheduling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "core/format.h"
#include "core/sha256.h"
#include "mpi/agreement.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

std::uint64_t cost_of_share(std::span<const std::uint64_t> costs, IndexRange share) {
  return std::accumulate(costs.begin() + static_cast<std::ptrdiff_t>(share.begin),
                         costs.begin() + static_cast<std::ptrdiff_t>(share.end), std::uint64_t{0});
}

// All batches once, in order, and no share above its part of the cost plus the largest cost.
void expect_fair(const std::vector<std::uint64_t>& costs,
                 const std::vector<std::uint32_t>& weights) {
  const std::vector<IndexRange> shares = share_by_cost(costs, weights);
  ASSERT_EQ(shares.size(), weights.size());
  const auto total = static_cast<double>(cost_of_share(costs, {0, costs.size()}));
  const double total_weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  const std::uint64_t largest = costs.empty() ? 0 : *std::max_element(costs.begin(), costs.end());
  std::size_t end = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    EXPECT_EQ(shares[i].begin, end);
    EXPECT_GE(shares[i].end, shares[i].begin);
    end = shares[i].end;
    EXPECT_LE(static_cast<double>(cost_of_share(costs, shares[i])),
              total * weights[i] / total_weight + static_cast<double>(largest));
  }
  EXPECT_EQ(end, costs.size());
}

TEST(ShareByCost, is_fair_for_all_small_costs) {
  // Every list of up to 6 batches with costs 1 to 3, for 1 to 4 ranks.
  for (std::size_t count = 0; count <= 6; ++count) {
    const auto num_lists = static_cast<int>(std::pow(3, count));
    for (int list = 0; list < num_lists; ++list) {
      std::vector<std::uint64_t> costs;
      for (int rest = list; costs.size() < count; rest /= 3)
        costs.push_back(static_cast<std::uint64_t>(1 + rest % 3));
      for (std::size_t size = 1; size <= 4; ++size)
        expect_fair(costs, std::vector<std::uint32_t>(size, 1));
      expect_fair(costs, {3, 1});
      expect_fair(costs, {1, 64, 2});
    }
  }
}

TEST(ShareByCost, is_fair_for_large_uneven_costs) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<std::uint64_t> costs;
    for (std::uint64_t i = 0; i < 500; ++i)
      costs.push_back(1 + (std::uint64_t{1} << ((i * 7 + seed * 13) % 50)));
    expect_fair(costs, {8, 8, 8, 5, 8});
  }
}

TEST(ShareByCost, equal_costs_give_equal_shares) {
  const auto shares =
      share_by_cost(std::vector<std::uint64_t>(12, 1000), std::vector<std::uint32_t>(4, 1));
  for (const IndexRange& share : shares) EXPECT_EQ(share.size(), 3U);
}

TEST(ShareByCost, a_batch_goes_where_its_middle_lies) {
  const auto shares =
      share_by_cost(std::vector<std::uint64_t>{1, 3}, std::vector<std::uint32_t>{1, 1});
  EXPECT_EQ(shares[0].size(), 1U);
  EXPECT_EQ(shares[1].size(), 1U);
}

TEST(ShareByCost, costs_of_zero_are_spread_too) {
  const auto shares =
      share_by_cost(std::vector<std::uint64_t>(9, 0), std::vector<std::uint32_t>(3, 1));
  for (const IndexRange& share : shares) EXPECT_EQ(share.size(), 3U);
}

TEST(ShareByCost, the_sum_of_costs_may_fill_64_bits) {
  const std::vector<std::uint64_t> costs(2, UINT64_MAX / 2);
  const auto shares = share_by_cost(costs, std::vector<std::uint32_t>{1, 1});
  EXPECT_EQ(shares[0].size(), 1U);
  EXPECT_EQ(shares[1].size(), 1U);
}

using SchedulingTest = OnRanks;

struct Score {
  std::uint64_t batch;
  double value;
  bool operator==(const Score&) const = default;
};

// Batch i yields i % 4 results; some batches take longer than their cost says.
Result<std::vector<Score>> evaluate_scores(std::size_t batch) {
  std::vector<Score> scores;
  for (std::size_t i = 0; i < batch % 4; ++i)
    scores.push_back({batch, 0.1 * static_cast<double>(i) + static_cast<double>(batch)});
  volatile double work = 0;
  for (std::size_t i = 0; i < (batch % 7) * 2000; ++i) work = work + 1;
  return scores;
}

TEST_P(SchedulingTest, results_come_in_batch_order_whatever_the_ranks) {
  for (const std::size_t num_batches : {0U, 1U, 2U, 3U, 100U}) {
    std::vector<Score> expected;
    std::vector<std::uint64_t> costs;
    for (std::size_t batch = 0; batch < num_batches; ++batch) {
      const auto scores = evaluate_scores(batch).value();
      expected.insert(expected.end(), scores.begin(), scores.end());
      costs.push_back(batch * batch % 50);
    }
    run([&](Communicator& communicator) {
      const auto scores = evaluate_in_order<Score>(communicator, costs, evaluate_scores);
      ASSERT_TRUE(scores.ok()) << scores.error().message;
      EXPECT_EQ(scores.value(), expected);
    });
  }
}

TEST_P(SchedulingTest, each_batch_is_evaluated_exactly_once) {
  run([&](Communicator& communicator) {
    for (int round = 0; round < 10; ++round) {
      constexpr std::size_t kNumBatches = 64;
      std::vector<std::int64_t> times_here(kNumBatches, 0);
      const std::vector<std::uint64_t> costs(kNumBatches, 1);
      const auto results = evaluate_batches(
          communicator, costs, [&](std::size_t batch) -> Result<std::vector<std::byte>> {
            ++times_here[batch];
            return std::vector<std::byte>(1, static_cast<std::byte>(batch));
          });
      ASSERT_TRUE(results.ok());
      for (std::size_t batch = 0; batch < kNumBatches; ++batch) {
        EXPECT_EQ(communicator.all_reduce(times_here[batch], ReduceOp::kSum), 1);
        EXPECT_EQ(results.value()[batch], std::vector<std::byte>(1, static_cast<std::byte>(batch)));
      }
    }
  });
}

// Batches fail in every combination of three places; the lowest is reported, in the same words on
// every rank and for any number of ranks, but for the rank's name.
TEST_P(SchedulingTest, all_ranks_return_the_error_of_the_lowest_failing_batch) {
  run([&](Communicator& communicator) {
    const std::vector<std::uint64_t> costs(30, 1);
    constexpr std::size_t kPlaces[] = {0, 14, 29};
    for (unsigned failing = 1; failing < 8; ++failing) {
      const auto fails = [&](std::size_t batch) {
        for (std::size_t i = 0; i < 3; ++i)
          if (batch == kPlaces[i] && (failing >> i & 1U) != 0) return true;
        return false;
      };
      const auto results = evaluate_batches(
          communicator, costs, [&](std::size_t batch) -> Result<std::vector<std::byte>> {
            if (fails(batch)) return make_error(ErrorCode::kStopped, "batch %zu stopped", batch);
            return std::vector<std::byte>(8);
          });
      ASSERT_FALSE(results.ok());
      EXPECT_EQ(results.error().code, ErrorCode::kStopped);
      const std::size_t lowest = kPlaces[__builtin_ctz(failing)];
      const std::string expected = format("batch %zu stopped", lowest);
      const std::string& message = results.error().message;
      EXPECT_TRUE(message.ends_with(expected)) << message;
      if (communicator.size() == 1) {
        EXPECT_EQ(message, expected);
      }
      Sha256 digest;
      digest.update(message);
      EXPECT_TRUE(all_equal(communicator, digest.finish(), "message").ok());
    }
  });
}

TEST_P(SchedulingTest, a_rank_starts_no_batch_after_one_that_failed) {
  run([&](Communicator& communicator) {
    const std::vector<std::uint64_t> costs(200, 1);
    std::int64_t num_started = 0;
    const auto results =
        evaluate_batches(communicator, costs, [&](std::size_t) -> Result<std::vector<std::byte>> {
          ++num_started;
          return make_error(ErrorCode::kStopped, "stopped");
        });
    ASSERT_FALSE(results.ok());
    EXPECT_LE(num_started, 1);
  });
}

TEST_P(SchedulingTest, an_exception_becomes_the_error_of_all_ranks_and_work_goes_on_after_it) {
  run([&](Communicator& communicator) {
    const std::vector<std::uint64_t> costs(5, 1);
    const auto failed = evaluate_batches(communicator, costs,
                                         [](std::size_t batch) -> Result<std::vector<std::byte>> {
                                           if (batch == 3)
                                             throw std::runtime_error("no memory left");
                                           return std::vector<std::byte>();
                                         });
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, ErrorCode::kInternal);
    EXPECT_TRUE(failed.error().message.ends_with("evaluation failed: no memory left"));
    EXPECT_TRUE(evaluate_in_order<Score>(communicator, costs, evaluate_scores).ok());
  });
}

TEST_P(SchedulingTest, ranks_that_disagree_about_the_batches_get_an_error) {
  if (GetParam().size == 1) GTEST_SKIP() << "one rank agrees with itself";
  run([&](Communicator& communicator) {
    const bool is_last = communicator.rank() == communicator.size() - 1;
    const std::vector<std::uint64_t> costs(is_last ? 40 : 2, 1);
    const auto results = evaluate_in_order<Score>(communicator, costs, evaluate_scores);
    ASSERT_FALSE(results.ok());
    EXPECT_EQ(results.error().code, ErrorCode::kInternal);
    EXPECT_EQ(results.error().message,
              format("rank %d was given 40 batches, but rank 0 2", communicator.size() - 1));
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(SchedulingTest);

}  // namespace
}  // namespace bankai::mpi
