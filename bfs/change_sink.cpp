#include "bfs/change_sink.h"

#include <algorithm>

namespace bankai::bfs {

void ChangeTable::take(CandidateId first, std::span<const PredictedChange> changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    target_gains_[first - first_ + i] += changes[i].target_gain;
    control_losses_[first - first_ + i] += changes[i].control_loss;
  }
}

std::vector<PredictedChange> ChangeTable::changes(CandidateId first, std::uint64_t count) const {
  std::vector<PredictedChange> result(count);
  for (std::uint64_t i = 0; i < count; ++i)
    result[i] = {target_gains_[first - first_ + i], control_losses_[first - first_ + i]};
  return result;
}

void ChangeTable::emit(const CandidateSpace& space, IndexRange tensors, ChangeSink& sink) const {
  constexpr std::uint64_t kTogether = 1U << 16U;
  for (std::size_t tensor = tensors.begin; tensor < tensors.end; ++tensor)
    for (const patch::FlipKind kind : kFlipKinds) {
      const std::uint64_t count = space.count(tensor, kind);
      for (std::uint64_t i = 0; i < count; i += kTogether) {
        const CandidateId first = space.first(tensor, kind) + i;
        sink.take(first, changes(first, std::min(kTogether, count - i)));
      }
    }
}

void ChosenChanges::take(CandidateId first, std::span<const PredictedChange> changes) {
  auto next = std::lower_bound(ids_.begin(), ids_.end(), first);
  for (; next != ids_.end() && *next < first + changes.size(); ++next)
    gains_[static_cast<std::size_t>(next - ids_.begin())] =
        changes[*next - first].fitness(control_penalty_);
}

BestChanges::BestChanges(const CandidateSpace& space, std::size_t count, double control_penalty,
                         const ByFlipKind& price, std::function<bool(CandidateId)> is_legal)
    : space_(space),
      count_(count),
      control_penalty_(control_penalty),
      price_(price),
      is_legal_(std::move(is_legal)) {}

void BestChanges::take(CandidateId first, std::span<const PredictedChange> changes) {
  const double price = price_[static_cast<std::size_t>(space_.flip(first).kind)];
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const double gain = changes[i].fitness(control_penalty_);
    const bool is_full = heap_.size() == count_;
    if (!(gain > 0.0) || (is_full && gain / price < heap_.front().worth)) continue;
    if (!is_legal_(first + i)) continue;
    heap_.push_back({first + i, gain, PredictedChange::to_double(changes[i].target_gain),
                     PredictedChange::to_double(changes[i].control_loss), gain / price});
    std::push_heap(heap_.begin(), heap_.end(), Proposal::better);
    if (!is_full) continue;
    std::pop_heap(heap_.begin(), heap_.end(), Proposal::better);
    heap_.pop_back();
  }
}

std::vector<Proposal> BestChanges::proposals() && {
  std::sort(heap_.begin(), heap_.end(), Proposal::better);
  return std::move(heap_);
}

}  // namespace bankai::bfs
