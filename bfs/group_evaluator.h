// Exact scores of all items, whether each rank holds all of the data or the ranks of a group hold a
// shard of it each and evaluate together (mpi/group_layout.h). The same bits either way.
//
// "Collective in the group" stands for what all ranks of a group call in the same order; where the
// data is not in shards such a call is local.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "bfs/search_model.h"
#include "core/partition.h"
#include "mpi/group_scheduling.h"

namespace bankai::bfs {

class GroupEvaluator {
 public:
  // Collective in the group. `groups`: nullptr where each rank holds all items. `searched`: as of
  // SearchModel::make_evaluator. References must outlive this.
  GroupEvaluator(SearchModel& model, const Objective& objective,
                 std::span<const TensorAddress> searched, mpi::Communicator& communicator,
                 mpi::RankGroups* groups);

  // Collective in the group. Item scores (items) of the unpatched model; of the model with flips;
  // and of the state from which candidates are flipped from now on.
  std::vector<double> base_scores();
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips);
  std::vector<double> enter_patch(std::span<const patch::Flip> flips);

  // Collective in the group. Item scores (items) of the flip alone on top of the state; those of
  // items outside of `items`, ascending, are meaningless.
  std::vector<double> evaluate_flip(const patch::Flip& flip, std::span<const std::size_t> items);

  // Local. The sequences of this rank's part of the data that these items (ascending) lie in.
  std::vector<std::uint32_t> sequences_here(std::span<const std::size_t> items) const;

  // The item scores (evaluations, items) of one batch over this rank's part of the data.
  using EvaluatePart =
      std::function<Result<std::vector<double>>(FlipEvaluator& evaluator, std::size_t batch)>;
  // What the item scores (evaluations, items) of a batch over all data come to, as any number of R.
  // Must depend on its arguments alone.
  template <typename R>
  using Conclude = std::function<std::vector<R>(std::size_t batch, std::span<const double> scores)>;

  // Collective over all ranks. Evaluates batches spread over the groups; the conclusions of all, in
  // the order of the batches. As evaluate_in_order() of mpi/scheduling.h.
  template <typename R>
  Result<std::vector<R>> evaluate_in_order(std::span<const std::uint64_t> batch_costs,
                                           const EvaluatePart& evaluate,
                                           const Conclude<R>& conclude);

 private:
  std::vector<double> whole(std::vector<double> mine);
  std::vector<double> join(std::span<const std::vector<double>> parts) const;

  const Objective& objective_;
  mpi::Communicator& communicator_;
  mpi::RankGroups* groups_;
  std::vector<IndexRange> shards_;            // items of each; empty without groups
  Objective shard_;                           // this rank's
  std::unique_ptr<FlipEvaluator> evaluator_;  // over this rank's part
};

template <typename R>
Result<std::vector<R>> GroupEvaluator::evaluate_in_order(std::span<const std::uint64_t> batch_costs,
                                                         const EvaluatePart& evaluate,
                                                         const Conclude<R>& conclude) {
  if (groups_ == nullptr)
    return mpi::evaluate_in_order<R>(
        communicator_, batch_costs, [&](std::size_t batch) -> Result<std::vector<R>> {
          BANKAI_ASSIGN_OR_RETURN(const std::vector<double> scores, evaluate(*evaluator_, batch));
          return conclude(batch, scores);
        });
  return mpi::evaluate_in_order_by_group<R, double>(
      *groups_, batch_costs, [&](std::size_t batch) { return evaluate(*evaluator_, batch); },
      [&](std::size_t batch, std::span<const std::vector<double>> parts) -> Result<std::vector<R>> {
        return conclude(batch, join(parts));
      });
}

}  // namespace bankai::bfs
