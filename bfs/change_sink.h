// Where predicted changes of candidates go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bfs/candidate_space.h"
#include "bfs/predicted_change.h"
#include "bfs/proposal.h"
#include "core/partition.h"

namespace bankai::bfs {

class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  // The changes of candidates first, first + 1, …, all of one kind. In no particular order of
  // candidates, each of which comes once.
  virtual void take(CandidateId first, std::span<const PredictedChange> changes) = 0;

 protected:
  ChangeSink() = default;
  ChangeSink(const ChangeSink&) = default;
  ChangeSink& operator=(const ChangeSink&) = default;
};

// Sums over blocks and ranks: the changes of a contiguous range of candidates in memory.
class ChangeTable final : public ChangeSink {
 public:
  ChangeTable(CandidateId first, std::uint64_t count)
      : first_(first), target_gains_(count), control_losses_(count) {}
  void take(CandidateId first, std::span<const PredictedChange> changes) override;

  CandidateId first() const { return first_; }
  std::uint64_t count() const { return target_gains_.size(); }
  std::span<std::int64_t> target_gains() { return target_gains_; }
  std::span<std::int64_t> control_losses() { return control_losses_; }
  // The sums of candidates first, first + 1, …, first + count - 1.
  std::vector<PredictedChange> changes(CandidateId first, std::uint64_t count) const;
  // Those of all candidates of the space's tensors, one kind of one tensor after the other.
  void emit(const CandidateSpace& space, IndexRange tensors, ChangeSink& sink) const;

 private:
  CandidateId first_;
  std::vector<std::int64_t> target_gains_, control_losses_;
};

// Keeps the changes of the fitness by chosen candidates.
class ChosenChanges final : public ChangeSink {
 public:
  // ids ascend.
  ChosenChanges(std::vector<CandidateId> ids, double control_penalty)
      : ids_(std::move(ids)), gains_(ids_.size()), control_penalty_(control_penalty) {}
  void take(CandidateId first, std::span<const PredictedChange> changes) override;
  std::span<const CandidateId> ids() const { return ids_; }
  std::span<const double> gains() const { return gains_; }  // of ids()

 private:
  std::vector<CandidateId> ids_;
  std::vector<double> gains_;
  double control_penalty_;
};

// Keeps the `count` best candidates that may be taken and promise an improvement. Each kind of flip
// has a price, by which its gain is divided.
class BestChanges final : public ChangeSink {
 public:
  // price: above 0.
  BestChanges(const CandidateSpace& space, std::size_t count, double control_penalty,
              const ByFlipKind& price, std::function<bool(CandidateId)> is_legal);
  void take(CandidateId first, std::span<const PredictedChange> changes) override;
  // Best first.
  std::vector<Proposal> proposals() &&;

 private:
  const CandidateSpace& space_;
  std::size_t count_;
  double control_penalty_;
  ByFlipKind price_;
  std::function<bool(CandidateId)> is_legal_;
  std::vector<Proposal> heap_;  // the worst on top
};

}  // namespace bankai::bfs
