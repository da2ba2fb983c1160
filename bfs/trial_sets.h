// Which sets a round tries in place of the accepted one.
#pragma once

#include <span>
#include <vector>

#include "bfs/search_context.h"

namespace bankai::bfs {

// Collective. The accepted set with the first 1, 2, 3, 4, 6, 8, 12, 16 … of `ranked` flipped, as
// far as the budgets allow. Where they do not allow all of `ranked`, also with the least useful 1,
// 2, 3, 4, 6 … accepted flips exchanged for as many of `ranked`, from the first, as then fit; what
// an accepted flip is worth is scored exactly, and counts as work. From the smallest change to the
// largest. Errors: kStopped when asked to stop.
Result<std::vector<std::vector<CandidateId>>> sets_to_try(SearchContext& context,
                                                          std::span<const CandidateId> ranked,
                                                          SearchState& state);

}  // namespace bankai::bfs
