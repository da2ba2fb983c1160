// How ranks are laid out when the data that candidates are evaluated on is divided too: groups of
// ranks hold the data in shards, one per rank, and evaluate a batch of candidates together; the
// groups share the batches. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/partition.h"

namespace bankai::mpi {

class GroupLayout {
 public:
  // As many groups of consecutive ranks as there can be with at least `least_shards` ranks each, at
  // least one; their sizes differ by at most one, larger groups first. So no rank is left over, and
  // ranks of a node tend to be one group. REQUIRES: ranks and least_shards are positive.
  GroupLayout(int ranks, int least_shards);

  int num_ranks() const { return static_cast<int>(num_ranks_); }
  int num_groups() const { return static_cast<int>(num_groups_); }
  int group_of(int rank) const;
  IndexRange ranks_of(int group) const;
  // The number of the rank's shard in its group, and how many shards the group has.
  int shard_of(int rank) const;
  int num_shards(int rank) const;

 private:
  std::size_t num_ranks_;
  std::size_t num_groups_;
};

// What is kept of the data in memory, in any unit.
struct DataSize {
  std::uint64_t total = 0;
  std::uint64_t largest_item = 0;  // items are not divided
};

// The smallest number of shards in [1, ranks] for which no shard, cut by share_by_cost()
// (mpi/scheduling.h), is larger than `limit`; `ranks` if there is none. REQUIRES: ranks is
// positive.
int shards_that_fit(const DataSize& data, std::uint64_t limit, int ranks);

}  // namespace bankai::mpi
