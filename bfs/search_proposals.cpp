// The part of a search's context that proposes candidates: by predictions, or by a sample.
#include <algorithm>

#include "bfs/candidate_sample.h"
#include "bfs/item_sample.h"
#include "bfs/search_context.h"
#include "bfs/single_weights.h"
#include "core/check.h"

namespace bankai::bfs {

bool SearchContext::has_predictions() {
  if (model_.transformer() == nullptr && predictor_ == nullptr)
    predictor_ = model_.make_predictor(objective_, space_);
  return model_.transformer() != nullptr || predictor_ != nullptr;
}

Status SearchContext::predict(std::span<const std::size_t> items, SearchState& state,
                              ChangeSink& sink) {
  BANKAI_CHECK(has_predictions(), "a model that predicts nothing");
  if (predictor_ != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t work,
                            predictor_->run(communicator_, flips(*entered_), items, base_scores_,
                                            state_scores_, hooks_.should_stop, sink));
    state.work += work;
    return {};
  }
  if (sensitivity_ == nullptr)
    sensitivity_ = std::make_unique<Sensitivity>(transformer(), objective_, space_,
                                                 SensitivityOptions{options_.curvature});
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t work,
                          sensitivity_->run(communicator_, entered_overlay_, items, base_scores_,
                                            state_scores_, hooks_.should_stop, sink));
  state.work += work;
  return {};
}

// The sample depends on seed and round alone.
Result<std::vector<Proposal>> SearchContext::propose_by_sample(std::size_t count,
                                                               SearchState& state) {
  const CandidateId all = space_.size();
  const std::vector<CandidateId> ids =
      sample_candidates(0, all, options_.candidates > 0 ? std::min(options_.candidates, all) : all,
                        options_.seed + state.round);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<ScoredCandidate> scored, score(ids, state));
  const ByFlipKind prices = flip_prices(state);
  std::vector<Proposal> proposals;
  for (const ScoredCandidate& candidate : scored) {
    const Fitness& after = candidate.fitness;
    const double gain = after.fitness - state.fitness.fitness;
    if (gain > 0.0)
      proposals.push_back(
          {candidate.id, gain, after.target_gain - state.fitness.target_gain,
           after.control_loss - state.fitness.control_loss,
           gain / prices[static_cast<std::size_t>(space_.flip(candidate.id).kind)]});
  }
  std::sort(proposals.begin(), proposals.end(), Proposal::better);
  if (proposals.size() > count) proposals.resize(count);
  return proposals;
}

Result<std::vector<Proposal>> SearchContext::propose(std::size_t count, SearchState& state) {
  const bool wants_sample = model_.transformer() == nullptr && options_.candidates > 0;
  if (wants_sample || !has_predictions()) return propose_by_sample(count, state);
  BestChanges best(space_, count, options_.control_penalty, flip_prices(state),
                   [this](CandidateId id) { return is_legal(id); });
  BANKAI_RETURN_IF_ERROR(predict(
      sample_items(objective_, options_.probe_fraction, options_.seed, state.round), state, best));
  return std::move(best).proposals();
}

bool SearchContext::is_legal(CandidateId id) const {
  const patch::Flip flip = space_.flip(id);
  return !patch::is_step(flip.kind) || bfs::is_legal(model(), entered_overlay_, flip);
}

}  // namespace bankai::bfs
