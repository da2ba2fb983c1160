#include "mpi/group_layout.h"

#include <algorithm>

namespace bankai::mpi {

GroupLayout::GroupLayout(int ranks, int least_shards) {
  BANKAI_CHECK(ranks > 0 && least_shards > 0, "no ranks to lay out");
  num_ranks_ = static_cast<std::size_t>(ranks);
  num_groups_ = static_cast<std::size_t>(std::max(1, ranks / least_shards));
}

IndexRange GroupLayout::ranks_of(int group) const {
  return part_of(num_ranks_, num_groups_, static_cast<std::size_t>(group));
}

int GroupLayout::group_of(int rank) const {
  BANKAI_CHECK(rank >= 0 && rank < num_ranks(), "no such rank");
  int group = 0;
  while (ranks_of(group).end <= static_cast<std::size_t>(rank)) ++group;
  return group;
}

int GroupLayout::shard_of(int rank) const {
  return rank - static_cast<int>(ranks_of(group_of(rank)).begin);
}

int GroupLayout::num_shards(int rank) const {
  return static_cast<int>(ranks_of(group_of(rank)).size());
}

int shards_that_fit(const DataSize& data, std::uint64_t limit, int ranks) {
  BANKAI_CHECK(ranks > 0, "no ranks to lay out");
  if (data.total <= limit) return 1;
  // A share is at most total / shards + largest_item.
  const auto fits = [&](int shards) {
    const std::uint64_t part = (data.total - 1) / static_cast<std::uint64_t>(shards) + 1;
    return data.largest_item <= limit && part <= limit - data.largest_item;
  };
  int shards = 2;
  while (shards < ranks && !fits(shards)) ++shards;
  return std::min(shards, ranks);
}

}  // namespace bankai::mpi
