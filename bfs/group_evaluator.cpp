#include "bfs/group_evaluator.h"

#include "bfs/item_sample.h"
#include "bfs/objective_shard.h"

namespace bankai::bfs {

GroupEvaluator::GroupEvaluator(SearchModel& model, const Objective& objective,
                               std::span<const TensorAddress> searched,
                               mpi::Communicator& communicator, mpi::RankGroups* groups)
    : objective_(objective), communicator_(communicator), groups_(groups) {
  if (groups_ != nullptr) {
    shards_ = item_shards(objective, static_cast<std::size_t>(groups_->num_shards()));
    shard_ = make_shard(objective, shards_[static_cast<std::size_t>(groups_->shard())]);
  }
  evaluator_ = model.make_evaluator(groups_ != nullptr ? shard_ : objective, searched);
}

std::vector<double> GroupEvaluator::base_scores() {
  const std::span<const double> mine = evaluator_->base_scores();
  return whole({mine.begin(), mine.end()});
}

std::vector<double> GroupEvaluator::evaluate_patch(std::span<const patch::Flip> flips) {
  return whole(evaluator_->evaluate_patch(flips));
}

std::vector<double> GroupEvaluator::enter_patch(std::span<const patch::Flip> flips) {
  return whole(evaluator_->enter_patch(flips));
}

std::vector<double> GroupEvaluator::evaluate_flip(const patch::Flip& flip,
                                                  std::span<const std::size_t> items) {
  return whole(evaluator_->evaluate_flips({&flip, 1}, sequences_here(items)));
}

std::vector<std::uint32_t> GroupEvaluator::sequences_here(
    std::span<const std::size_t> items) const {
  if (groups_ == nullptr) return sequences_of(objective_, items);
  const IndexRange here = shards_[static_cast<std::size_t>(groups_->shard())];
  std::vector<std::size_t> mine;
  for (const std::size_t i : items)
    if (i >= here.begin && i < here.end) mine.push_back(i - here.begin);
  return sequences_of(shard_, mine);
}

// What the ranks of the group have, put together.
std::vector<double> GroupEvaluator::whole(std::vector<double> mine) {
  if (groups_ == nullptr) return mine;
  std::vector<std::vector<double>> parts;
  for (const std::vector<std::byte>& bytes :
       groups_->group().all_gather(std::as_bytes(std::span<const double>(mine)))) {
    parts.emplace_back();
    mpi::append_from_bytes(bytes, parts.back());
  }
  return join(parts);
}

std::vector<double> GroupEvaluator::join(std::span<const std::vector<double>> parts) const {
  std::size_t num_scores = 0;
  for (const std::vector<double>& part : parts) num_scores += part.size();
  return join_item_scores(parts, shards_, num_scores / objective_.items.size());
}

}  // namespace bankai::bfs
