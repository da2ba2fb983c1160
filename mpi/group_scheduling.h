// Independent batches of work, each evaluated by a group of ranks that hold a shard of the data
// each; see group_layout.h. With groups of one rank it is what scheduling.h does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "core/result.h"
#include "mpi/communicator.h"
#include "mpi/group_layout.h"
#include "mpi/scheduling.h"

namespace bankai::mpi {

class RankGroups {
 public:
  // Collective, as is the end of it. `all` must outlive this. REQUIRES: the layout is of all ranks.
  RankGroups(Communicator& all, const GroupLayout& layout);

  Communicator& all() { return all_; }
  // The ranks that hold the data together with this one: a rank there is the number of a shard.
  Communicator& group() { return *group_; }
  // Local. This rank's shard, and how many there are in its group.
  int shard() const { return group_->rank(); }
  int num_shards() const { return group_->size(); }
  // Ranks with the same shard number; of the first shards, which lead, it holds one per group.
  Communicator& same_shard() { return *same_shard_; }

 private:
  Communicator& all_;
  std::unique_ptr<Communicator> group_;
  std::unique_ptr<Communicator> same_shard_;
};

// The result of a batch from the parts of all shards, in order of shard. Called on one rank. Must
// depend on its arguments alone.
using JoinParts = std::function<Result<std::vector<std::byte>>(
    std::size_t batch, std::span<const std::vector<std::byte>> parts)>;

// Collective over groups.all(). As evaluate_batches() of scheduling.h, but a batch is evaluated by
// all ranks of one group together: each gives the part of its shard by `evaluate_part`. A batch
// fails with the error of the lowest shard that fails. Costs in addition two collectives of a group
// per batch. An error names the number of a group, not of a rank.
Result<std::vector<std::vector<std::byte>>> evaluate_batches_by_group(
    RankGroups& groups, std::span<const std::uint64_t> batch_costs,
    const EvaluateBatch& evaluate_part, const JoinParts& join);

// Collective. As evaluate_in_order() of scheduling.h: parts of any number of P, results of any
// number of R.
template <typename R, typename P>
Result<std::vector<R>> evaluate_in_order_by_group(
    RankGroups& groups, std::span<const std::uint64_t> batch_costs,
    const std::function<Result<std::vector<P>>(std::size_t batch)>& evaluate_part,
    const std::function<Result<std::vector<R>>(std::size_t batch,
                                               std::span<const std::vector<P>> parts)>& join) {
  const auto part_to_bytes = [&](std::size_t batch) -> Result<std::vector<std::byte>> {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<P> part, evaluate_part(batch));
    return to_bytes<P>(part);
  };
  const auto join_bytes =
      [&](std::size_t batch,
          std::span<const std::vector<std::byte>> parts) -> Result<std::vector<std::byte>> {
    std::vector<std::vector<P>> typed;
    for (const std::vector<std::byte>& bytes : parts) {
      typed.emplace_back();
      append_from_bytes(bytes, typed.back());
    }
    BANKAI_ASSIGN_OR_RETURN(const std::vector<R> results,
                            join(batch, std::span<const std::vector<P>>(typed)));
    return to_bytes<R>(results);
  };
  BANKAI_ASSIGN_OR_RETURN(
      const auto results_of_batch,
      evaluate_batches_by_group(groups, batch_costs, part_to_bytes, join_bytes));
  std::vector<R> results;
  for (const std::vector<std::byte>& bytes : results_of_batch) append_from_bytes(bytes, results);
  return results;
}

}  // namespace bankai::mpi
