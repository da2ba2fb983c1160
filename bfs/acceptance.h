// From single scores to a set that works together: the best candidates of a round are tried in
// growing numbers on top of what is accepted, or in place of a part of it, and the best set is
// kept.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "bfs/search_context.h"

namespace bankai::bfs {

// The candidates of state.scored that improve on the state by more than the penalty of a flip, by
// gain for their price, without those that touch the same hidden unit (a gate and an up row of
// equal index act on one) as a better one.
std::vector<CandidateId> rank_improving(const SearchContext& context, const SearchState& state);

// Candidates with at most this fitness are never among those of rank_improving().
double useless_fitness(const SearchContext& context, const SearchState& state);

// Collective. Scores `ids`, ascending, into state.scored in chunks, each followed by a checkpoint;
// goes on after those that are there already. `threshold`: of SearchContext::score.
Status score_in_chunks(SearchContext& context, std::span<const CandidateId> ids, SearchState& state,
                       std::optional<double> threshold = std::nullopt);

// All sets of a round at once, or from the largest change down as long as smaller ones are better.
enum class TrialOrder { kAllAtOnce, kFromTheLargest };

// Collective. Tries the sets of bfs/trial_sets.h and accepts the one that has the highest fitness
// less the penalty of its flips, if that gains more than min_gain and SearchContext::is_acceptable.
// True if one was accepted.
Result<bool> accept_best_set(SearchContext& context, std::span<const CandidateId> ranked,
                             SearchState& state, TrialOrder order = TrialOrder::kAllAtOnce);

}  // namespace bankai::bfs
