// The search loop: rounds of a strategy until a budget, an iteration limit, the held-out score or
// the strategy itself ends it.
#pragma once

#include "bfs/held_out.h"
#include "bfs/search_context.h"
#include "bfs/search_state.h"

namespace bankai::bfs {

// Collective. Runs from `state` (fresh, or from a checkpoint) to the end; then `state.finished`,
// and with patience `state.accepted` holds the flips of the best held-out round. `held_out` may be
// null. Errors: kStopped when a hook asked to stop; `state` is then that of the last completed
// step.
Status run_search(SearchContext& context, HeldOut* held_out, SearchState& state);

}  // namespace bankai::bfs
