#include "mpi/communicator.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

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

TEST_P(CommunicatorTest, reduces_vectors_element_by_element) {
  run([&](Communicator& communicator) {
    const std::int64_t size = communicator.size();
    // 100,003 integers are more than one message of the test's MPI ranks.
    for (const std::size_t length : {0U, 1U, 1000U, 100'003U}) {
      for (const ReduceOp op : {ReduceOp::kSum, ReduceOp::kMin, ReduceOp::kMax}) {
        std::vector<std::int64_t> values(length);
        for (std::size_t i = 0; i < length; ++i) {
          const auto at = static_cast<std::int64_t>(i);
          values[i] = (at << 40) + (at % 2 == 0 ? 1 : -1) * communicator.rank();
        }
        communicator.all_reduce(values, op);
        for (std::size_t i = 0; i < length; ++i) {
          const auto at = static_cast<std::int64_t>(i);
          const std::int64_t sign = at % 2 == 0 ? 1 : -1;
          std::int64_t expected = at << 40;
          if (op == ReduceOp::kSum) expected = size * expected + sign * size * (size - 1) / 2;
          if ((op == ReduceOp::kMax) == (sign == 1) && op != ReduceOp::kSum)
            expected += sign * (size - 1);
          ASSERT_EQ(values[i], expected) << "element " << i << " of " << length;
        }
      }
    }
  });
}

// What collectives, teams and tickets of a part of the ranks have to do.
void expect_works(Communicator& part, const std::vector<int>& members, int rank) {
  ASSERT_EQ(part.size(), static_cast<int>(members.size()));
  ASSERT_EQ(members[static_cast<std::size_t>(part.rank())], rank);
  for (int round = 0; round < 3; ++round) {
    const auto gathered = part.all_gather(bytes_of_rank(rank, 50));
    ASSERT_EQ(gathered.size(), members.size());
    for (std::size_t i = 0; i < members.size(); ++i)
      EXPECT_EQ(gathered[i], bytes_of_rank(members[i], 50));
    std::vector<std::byte> data = bytes_of_rank(rank, 10);
    part.broadcast(data, part.size() - 1);
    EXPECT_EQ(data, bytes_of_rank(members.back(), 10));
    EXPECT_EQ(part.all_reduce(rank, ReduceOp::kMax), members.back());
    part.barrier();

    part.restart_tickets();
    const std::span<const int> teams = part.team_of_rank();
    ASSERT_EQ(teams.size(), members.size());
    int num_teams = 0;
    for (const int team : teams) {
      EXPECT_LE(team, num_teams);
      if (team == num_teams) ++num_teams;
    }
    ByteWriter drawn;
    drawn.write(part.next_ticket());
    drawn.write(part.next_ticket());
    std::set<std::pair<int, std::uint64_t>> tickets;
    const auto all_drawn = part.all_gather(drawn.bytes());
    for (std::size_t i = 0; i < members.size(); ++i) {
      ByteReader reader(all_drawn[i]);
      while (reader.remaining() > 0)
        tickets.emplace(teams[i], reader.read<std::uint64_t>("t").value());
    }
    EXPECT_EQ(tickets.size(), 2 * members.size()) << "each ticket of a team once";
    for (const auto& [team, ticket] : tickets) {
      EXPECT_TRUE(ticket == 0 || tickets.contains({team, ticket - 1})) << "none is left out";
    }
  }
}

TEST_P(CommunicatorTest, parts_of_every_shape_work_by_themselves) {
  run([&](Communicator& communicator) {
    const int size = communicator.size();
    const std::vector<std::vector<int>> colourings = {
        {7, 7, 7, 7, 7, 7, 7, 7},  // all together
        {0, 1, 2, 3, 4, 5, 6, 9},  // all alone
        {0, 0, 1, 1, 2, 2, 3, 3}, {1, 0, 1, 0, 1, 0, 1, 0}, {5, 5, 5, 2, 2, 2, 5, 2},
    };
    for (const std::vector<int>& colours : colourings) {
      const int mine = colours[static_cast<std::size_t>(communicator.rank())];
      std::vector<int> members;
      for (int rank = 0; rank < size; ++rank)
        if (colours[static_cast<std::size_t>(rank)] == mine) members.push_back(rank);
      const auto part = communicator.split(mine);
      expect_works(*part, members, communicator.rank());
      // The whole works beside its parts, and so does a part of a part.
      EXPECT_EQ(communicator.all_reduce(1, ReduceOp::kSum), size);
      const auto pairs = part->split(part->rank() / 2);
      const auto first = static_cast<std::size_t>(part->rank() / 2 * 2);
      const std::size_t last = std::min(first + 2, members.size());
      expect_works(*pairs,
                   {members.begin() + static_cast<std::ptrdiff_t>(first),
                    members.begin() + static_cast<std::ptrdiff_t>(last)},
                   communicator.rank());
    }
  });
}

// Of ranks that share a team, parts share one too, and tickets of different parts are apart.
TEST_P(CommunicatorTest, parts_keep_teams) {
  run([&](Communicator& communicator) {
    const auto part = communicator.split(communicator.rank() % 2);
    const std::span<const int> before = communicator.team_of_rank();
    const std::span<const int> after = part->team_of_rank();
    for (int a = 0; a < part->size(); ++a)
      for (int b = 0; b < part->size(); ++b) {
        const auto whole = [&](int rank) {
          return before[static_cast<std::size_t>(2 * rank + communicator.rank() % 2)];
        };
        EXPECT_EQ(after[static_cast<std::size_t>(a)] == after[static_cast<std::size_t>(b)],
                  whole(a) == whole(b));
      }
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
