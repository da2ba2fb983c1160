#include "mpi/communicator.h"

#include <limits>
#include <set>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

using CommunicatorTest = OnRanks;

TEST_P(CommunicatorTest, ranks_are_numbered_from_zero) {
  run([&](Communicator& communicator) {
    EXPECT_EQ(communicator.size(), GetParam().size);
    const auto gathered = communicator.all_gather(bytes_of_rank(communicator.rank(), 3));
    ASSERT_EQ(gathered.size(), static_cast<std::size_t>(communicator.size()));
    for (int rank = 0; rank < communicator.size(); ++rank)
      EXPECT_EQ(gathered[static_cast<std::size_t>(rank)], bytes_of_rank(rank, 3));
  });
}

TEST_P(CommunicatorTest, nobody_leaves_a_barrier_before_all_have_come) {
  run([&](Communicator& communicator) {
    for (std::int64_t round = 1; round <= 50; ++round) {
      // Whoever is ahead by a round would bring another number.
      EXPECT_EQ(communicator.all_reduce(round, ReduceOp::kMin), round);
      communicator.barrier();
      EXPECT_EQ(communicator.all_reduce(round, ReduceOp::kMax), round);
    }
  });
}

TEST_P(CommunicatorTest, broadcast_from_every_root_at_every_length) {
  run([&](Communicator& communicator) {
    for (int root = 0; root < communicator.size(); ++root) {
      for (const std::size_t length : {0U, 1U, 1000U, 300'001U}) {
        std::vector<std::byte> data(length);
        if (communicator.rank() == root) data = bytes_of_rank(root, length);
        communicator.broadcast(data, root);
        EXPECT_EQ(data, bytes_of_rank(root, length)) << "root " << root << " length " << length;
      }
    }
  });
}

TEST_P(CommunicatorTest, gathers_different_lengths_in_rank_order) {
  run([&](Communicator& communicator) {
    const auto length_of = [](int rank) {
      return rank % 3 == 1 ? std::size_t{0} : 777 * static_cast<std::size_t>(rank);
    };
    const int rank = communicator.rank();
    const auto gathered = communicator.all_gather(bytes_of_rank(rank, length_of(rank)));
    ASSERT_EQ(gathered.size(), static_cast<std::size_t>(communicator.size()));
    for (int other = 0; other < communicator.size(); ++other)
      EXPECT_EQ(gathered[static_cast<std::size_t>(other)], bytes_of_rank(other, length_of(other)));
  });
}

TEST_P(CommunicatorTest, gathers_nothing_from_anyone) {
  run([&](Communicator& communicator) {
    const auto gathered = communicator.all_gather({});
    ASSERT_EQ(gathered.size(), static_cast<std::size_t>(communicator.size()));
    for (const auto& bytes : gathered) EXPECT_TRUE(bytes.empty());
  });
}

TEST_P(CommunicatorTest, gathers_ten_megabytes_from_the_last_rank_and_a_little_from_the_others) {
  run([&](Communicator& communicator) {
    const int last = communicator.size() - 1;
    const auto length_of = [&](int rank) { return rank == last ? 10'000'019U : 5U; };
    const int rank = communicator.rank();
    const auto gathered = communicator.all_gather(bytes_of_rank(rank, length_of(rank)));
    for (int other = 0; other <= last; ++other)
      EXPECT_TRUE(gathered[static_cast<std::size_t>(other)] ==
                  bytes_of_rank(other, length_of(other)));
  });
}

TEST_P(CommunicatorTest, reduces_64_bit_integers) {
  run([&](Communicator& communicator) {
    const std::int64_t size = communicator.size();
    const std::int64_t rank = communicator.rank();
    constexpr std::int64_t kBig = std::numeric_limits<std::int64_t>::max() / 64;
    EXPECT_EQ(communicator.all_reduce(kBig + rank, ReduceOp::kSum),
              size * kBig + size * (size - 1) / 2);
    EXPECT_EQ(communicator.all_reduce(-rank, ReduceOp::kMin), 1 - size);
    EXPECT_EQ(communicator.all_reduce(rank - size, ReduceOp::kMax), -1);
    EXPECT_EQ(communicator.all_reduce(std::numeric_limits<std::int64_t>::min(), ReduceOp::kMin),
              std::numeric_limits<std::int64_t>::min());
  });
}

TEST_P(CommunicatorTest, teams_are_numbered_by_their_lowest_rank) {
  run([&](Communicator& communicator) {
    const std::span<const int> teams = communicator.team_of_rank();
    ASSERT_EQ(teams.size(), static_cast<std::size_t>(communicator.size()));
    int num_teams = 0;
    for (const int team : teams) {
      EXPECT_LE(team, num_teams);
      if (team == num_teams) ++num_teams;
    }
  });
}

TEST_P(CommunicatorTest, a_team_gets_each_ticket_once_and_starts_again_at_zero) {
  run([&](Communicator& communicator) {
    for (int round = 0; round < 20; ++round) {
      communicator.restart_tickets();
      constexpr std::uint64_t kNumDrawn = 100;
      ByteWriter drawn;
      for (std::uint64_t i = 0; i < kNumDrawn; ++i) drawn.write(communicator.next_ticket());

      const std::span<const int> teams = communicator.team_of_rank();
      const int my_team = teams[static_cast<std::size_t>(communicator.rank())];
      std::set<std::uint64_t> tickets;
      std::size_t num_in_team = 0;
      const auto gathered = communicator.all_gather(drawn.bytes());
      for (std::size_t rank = 0; rank < gathered.size(); ++rank) {
        if (teams[rank] != my_team) continue;
        ++num_in_team;
        ByteReader reader(gathered[rank]);
        while (reader.remaining() > 0) tickets.insert(reader.read<std::uint64_t>("t").value());
      }
      EXPECT_EQ(tickets.size(), num_in_team * kNumDrawn);
      EXPECT_EQ(*tickets.begin(), 0U);
      EXPECT_EQ(*tickets.rbegin(), num_in_team * kNumDrawn - 1);
    }
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(CommunicatorTest);

}  // namespace
}  // namespace bankai::mpi
