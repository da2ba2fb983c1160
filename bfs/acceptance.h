// From single scores to a set that works together: the best candidates of a round are tried in
// growing numbers on top of what is accepted, and the best number is kept.
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

// Which numbers of candidates are tried: all, or from the largest down as long as fewer are better.
enum class PrefixSizes { kAll, kFromTheLargest };

// Collective. Tries the state with the first 1, 2, 3, 4, 6, 8, 12, 16 … of `ranked` flipped, as far
// as the budgets allow, and accepts the number that has the highest fitness less the penalty of its
// flips, if that gains more than min_gain and SearchContext::is_acceptable. True if anything was
// accepted.
Result<bool> accept_best_prefix(SearchContext& context, std::span<const CandidateId> ranked,
                                SearchState& state, PrefixSizes which = PrefixSizes::kAll);

}  // namespace bankai::bfs
