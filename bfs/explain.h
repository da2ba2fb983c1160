// Why the flips of a patch are in it: what each does alone, and what the patch would be without it.
// To be without a flip is to have it taken back, which turns the steps of weights that it negates.
#pragma once

#include <cstddef>
#include <vector>

#include "bfs/search_context.h"

namespace bankai::bfs {

struct FlipReason {
  CandidateId id = 0;
  double predicted = 0.0;  // change of the unpatched model's fitness by the flip alone: first order
  Fitness alone;           // the same, exactly
  Fitness inside;          // exact change by adding the flip last, to all others of the patch
  std::ptrdiff_t bytes = 0;  // of the binary patch: with the flip less without it
};

// Collective. The reasons of all accepted flips, the most useful inside the patch first. Leaves the
// state entered. Costs a prediction and two exact evaluations of every flip. Errors: kStopped.
Result<std::vector<FlipReason>> explain(SearchContext& context, SearchState& state);

}  // namespace bankai::bfs
