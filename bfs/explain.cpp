#include "bfs/explain.h"

#include <algorithm>

#include "bfs/candidate_sets.h"
#include "bfs/item_sample.h"

namespace bankai::bfs {
namespace {

Fitness difference(const Fitness& a, const Fitness& b) {
  return {a.fitness - b.fitness, a.target_gain - b.target_gain, a.control_loss - b.control_loss};
}

}  // namespace

Result<std::vector<FlipReason>> explain(SearchContext& context, SearchState& state) {
  std::vector<CandidateId> ids = state.accepted;
  std::sort(ids.begin(), ids.end());
  SearchState unpatched;
  BANKAI_RETURN_IF_ERROR(context.enter_state(unpatched));
  ChosenChanges predicted(ids, context.options().control_penalty);
  BANKAI_RETURN_IF_ERROR(context.predict(all_items(context.objective()), unpatched, predicted));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<ScoredCandidate> alone, context.score(ids, unpatched));
  BANKAI_RETURN_IF_ERROR(context.enter_state(state));
  std::vector<CandidateId> inverses;
  for (const CandidateId id : ids) inverses.push_back(inverse_of(context.space(), id));
  std::sort(inverses.begin(), inverses.end());
  BANKAI_ASSIGN_OR_RETURN(const std::vector<ScoredCandidate> without,
                          context.score(inverses, state));
  const auto all_bytes = static_cast<std::ptrdiff_t>(context.patch_bytes(ids));
  std::vector<FlipReason> reasons;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const CandidateId inverse = inverse_of(context.space(), ids[i]);
    const std::vector<CandidateId> others = toggled(context.space(), ids, {&inverse, 1});
    const auto place = std::lower_bound(inverses.begin(), inverses.end(), inverse);
    const auto at = static_cast<std::size_t>(place - inverses.begin());
    reasons.push_back({ids[i], predicted.gains()[i],
                       difference(alone[i].fitness, unpatched.fitness),
                       difference(state.fitness, without[at].fitness),
                       all_bytes - static_cast<std::ptrdiff_t>(context.patch_bytes(others))});
  }
  std::stable_sort(reasons.begin(), reasons.end(), [](const FlipReason& a, const FlipReason& b) {
    return a.inside.fitness > b.inside.fitness;
  });
  return reasons;
}

}  // namespace bankai::bfs
