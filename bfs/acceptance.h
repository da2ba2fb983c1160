// From single scores to a set that works together: the best candidates of a round are tried in
// growing numbers on top of what is accepted, and the best number is kept.
#pragma once

#include <span>
#include <vector>

#include "bfs/search_context.h"

namespace bankai::bfs {

// The candidates that improve on `current` fitness, best first, without those that touch the same
// hidden unit (a gate and an up row of equal index act on one) as a better one.
std::vector<CandidateId> rank_improving(const SearchContext& context,
                                        std::span<const ScoredCandidate> scored, double current);

// Collective. Tries `state.accepted` plus the first 1, 2, 3, 4, 6, 8, 12, 16 … of `ranked` (as far
// as the budgets allow) and appends the best number if it gains more than min_gain. True if
// anything was accepted.
Result<bool> accept_best_prefix(SearchContext& context, std::span<const CandidateId> ranked,
                                SearchState& state);

}  // namespace bankai::bfs
