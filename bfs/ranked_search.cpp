// The greedy and exhaustive strategies: score candidates exactly, then accept the best ones
// together.
#include <algorithm>
#include <numeric>

#include "bfs/acceptance.h"
#include "bfs/strategy.h"
#include "core/counter_rng.h"

namespace bankai::bfs {
namespace {

// `count` different candidates by Floyd's sampling (Bentley and Floyd 1987), ascending.
std::vector<CandidateId> sample_candidates(CandidateId size, std::uint64_t count,
                                           std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<CandidateId> chosen;
  for (CandidateId last = size - count; last < size; ++last) {
    const CandidateId drawn = rng.below(last, last + 1);
    const auto place = std::lower_bound(chosen.begin(), chosen.end(), drawn);
    if (place != chosen.end() && *place == drawn) {
      chosen.push_back(last);  // larger than all before it
    } else {
      chosen.insert(place, drawn);
    }
  }
  return chosen;
}

// What to score in this round, ascending; a function of options and state alone.
std::vector<CandidateId> propose(const SearchContext& context, const SearchState& state) {
  const SearchOptions& options = context.options();
  const CandidateId size = context.space().size();
  std::vector<CandidateId> ids;
  if (!state.ranking.empty()) {
    std::vector<ScoredCandidate> best;
    for (const ScoredCandidate& candidate : state.ranking)
      if (std::find(state.accepted.begin(), state.accepted.end(), candidate.id) ==
          state.accepted.end())
        best.push_back(candidate);
    std::sort(best.begin(), best.end(), ScoredCandidate::better);
    best.resize(std::min<std::size_t>(best.size(), options.shortlist));
    for (const ScoredCandidate& candidate : best) ids.push_back(candidate.id);
    std::sort(ids.begin(), ids.end());
  } else if (options.candidates > 0 && options.candidates < size) {
    ids = sample_candidates(size, options.candidates, options.seed);
  } else {
    ids.resize(size);
    std::iota(ids.begin(), ids.end(), CandidateId{0});
  }
  return ids;
}

// Scores `ids` in chunks, each followed by a checkpoint; goes on after those already in `scored`.
Status score_in_chunks(SearchContext& context, std::span<const CandidateId> ids,
                       SearchState& state) {
  const std::size_t chunk = context.candidates_per_chunk(ids.size());
  while (state.scored.size() < ids.size()) {
    const std::span<const CandidateId> rest = ids.subspan(state.scored.size());
    BANKAI_ASSIGN_OR_RETURN(const auto results,
                            context.score(rest.first(std::min(chunk, rest.size())), state));
    state.scored.insert(state.scored.end(), results.begin(), results.end());
    context.hooks().on_progress(
        state, static_cast<double>(state.scored.size()) / static_cast<double>(ids.size()));
    context.hooks().on_checkpoint(state);
  }
  return {};
}

// Takes the round's scores into the ranking, which is kept ascending by id.
void merge_scores(SearchState& state) {
  std::vector<ScoredCandidate> merged;
  const auto by_id = [](const ScoredCandidate& a, const ScoredCandidate& b) { return a.id < b.id; };
  std::set_union(state.scored.begin(), state.scored.end(), state.ranking.begin(),
                 state.ranking.end(), std::back_inserter(merged),
                 by_id);  // of equal ids the newer is kept
  state.ranking = std::move(merged);
}

class RankedSearch final : public Strategy {
 public:
  Status run_round(SearchContext& context, SearchState& state) override {
    const std::vector<CandidateId> ids = propose(context, state);
    BANKAI_RETURN_IF_ERROR(score_in_chunks(context, ids, state));
    const std::vector<CandidateId> ranked =
        rank_improving(context, state.scored, state.fitness.fitness);
    BANKAI_ASSIGN_OR_RETURN(const bool accepted, accept_best_prefix(context, ranked, state));
    merge_scores(state);
    state.scored.clear();
    state.finished = !accepted;
    return {};
  }
};

}  // namespace

std::unique_ptr<Strategy> make_ranked_search() { return std::make_unique<RankedSearch>(); }

std::unique_ptr<Strategy> make_strategy(const SearchContext& context, const SearchState& state) {
  if (context.options().strategy == StrategyKind::kHillClimb)
    return make_hill_climb(context, state);
  return make_ranked_search();
}

}  // namespace bankai::bfs
