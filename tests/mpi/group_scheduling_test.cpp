#include "mpi/group_scheduling.h"

#include <stdexcept>
#include <string>

#include "core/partition.h"
#include "mpi/agreement.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

using GroupSchedulingTest = OnRanks;

constexpr std::size_t kItems = 11;
constexpr std::size_t kBatches = 23;

std::vector<std::uint64_t> costs() {
  std::vector<std::uint64_t> costs;
  for (std::uint64_t i = 0; i < kBatches; ++i) costs.push_back(1 + i % 5);
  return costs;
}

std::uint64_t value_of(std::size_t batch, std::size_t item) { return 1000 * batch + item * item; }

// Batch b yields b mod 3 lists of the values of all items, one after another.
std::vector<std::uint64_t> expected_results() {
  std::vector<std::uint64_t> results;
  for (std::size_t batch = 0; batch < kBatches; ++batch)
    for (std::size_t repeat = 0; repeat < batch % 3; ++repeat)
      for (std::size_t item = 0; item < kItems; ++item) results.push_back(value_of(batch, item));
  return results;
}

Result<std::vector<std::uint64_t>> run_batches(RankGroups& groups) {
  return evaluate_in_order_by_group<std::uint64_t, std::uint64_t>(
      groups, costs(),
      [&](std::size_t batch) -> Result<std::vector<std::uint64_t>> {
        const IndexRange mine = part_of(kItems, static_cast<std::size_t>(groups.num_shards()),
                                        static_cast<std::size_t>(groups.shard()));
        std::vector<std::uint64_t> part;
        for (std::size_t item = mine.begin; item < mine.end; ++item)
          part.push_back(value_of(batch, item));
        return part;
      },
      [](std::size_t batch,
         std::span<const std::vector<std::uint64_t>> parts) -> Result<std::vector<std::uint64_t>> {
        std::vector<std::uint64_t> all;
        for (std::size_t repeat = 0; repeat < batch % 3; ++repeat)
          for (const std::vector<std::uint64_t>& part : parts)
            all.insert(all.end(), part.begin(), part.end());
        return all;
      });
}

TEST_P(GroupSchedulingTest, results_are_those_of_one_rank_for_every_layout) {
  run([](Communicator& communicator) {
    for (int shards = 1; shards <= communicator.size() + 1; ++shards) {
      const GroupLayout layout(communicator.size(), shards);
      RankGroups groups(communicator, layout);
      EXPECT_EQ(groups.shard(), layout.shard_of(communicator.rank()));
      EXPECT_EQ(groups.num_shards(), layout.num_shards(communicator.rank()));
      for (int round = 0; round < 3; ++round) {
        const auto results = run_batches(groups);
        ASSERT_TRUE(results.ok()) << results.error().message;
        EXPECT_EQ(*results, expected_results()) << shards << " shards";
      }
    }
  });
}

TEST_P(GroupSchedulingTest, no_batches_are_no_work) {
  run([](Communicator& communicator) {
    RankGroups groups(communicator, GroupLayout(communicator.size(), 2));
    const auto results = evaluate_batches_by_group(
        groups, {}, [](std::size_t) -> Result<std::vector<std::byte>> { throw 1; },
        [](std::size_t, std::span<const std::vector<std::byte>>) -> Result<std::vector<std::byte>> {
          throw 1;
        });
    ASSERT_TRUE(results.ok());
    EXPECT_TRUE(results->empty());
  });
}

// The last shard of a group cannot do batches 7 and 12, by an error or an exception.
TEST_P(GroupSchedulingTest, all_ranks_get_the_error_of_the_lowest_batch) {
  run([](Communicator& communicator) {
    for (const bool throws : {false, true}) {
      for (int shards = 1; shards <= communicator.size(); ++shards) {
        RankGroups groups(communicator, GroupLayout(communicator.size(), shards));
        const auto results = evaluate_batches_by_group(
            groups, costs(),
            [&](std::size_t batch) -> Result<std::vector<std::byte>> {
              if ((batch == 7 || batch == 12) && groups.shard() == groups.num_shards() - 1) {
                if (throws) throw std::runtime_error("batch " + std::to_string(batch));
                return Error{ErrorCode::kStopped, "batch " + std::to_string(batch)};
              }
              return std::vector<std::byte>();
            },
            [](std::size_t, std::span<const std::vector<std::byte>>)
                -> Result<std::vector<std::byte>> { return std::vector<std::byte>(); });
        ASSERT_FALSE(results.ok());
        EXPECT_EQ(results.error().code, throws ? ErrorCode::kInternal : ErrorCode::kStopped);
        EXPECT_NE(results.error().message.find("batch 7"), std::string::npos);
        ByteWriter message;
        message.write_text(results.error().message);
        EXPECT_TRUE(all_equal(communicator, message.bytes(), "error").ok());
        const auto again = run_batches(groups);
        ASSERT_TRUE(again.ok()) << "an error leaves the groups usable";
        EXPECT_EQ(*again, expected_results());
      }
    }
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(GroupSchedulingTest);

}  // namespace
}  // namespace bankai::mpi
