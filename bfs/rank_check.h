// Holds first-order predictions against exact changes, kind by kind.
#pragma once

#include <cstdint>
#include <vector>

#include "bfs/rank_agreement.h"
#include "bfs/search_context.h"

namespace bankai::bfs {

struct RankCheck {
  struct Kind {
    patch::FlipKind kind = patch::FlipKind::kRow;
    std::uint64_t num_candidates = 0;  // that a search may take
    RankAgreement agreement;           // of those that were evaluated exactly
    double exact_seconds = 0.0;
  };
  std::vector<Kind> kinds;
  double forward_seconds = 0.0;  // of one forward pass over the calibration data
  double ranking_seconds = 0.0;  // of the prediction for every candidate, forward pass included
};

// Collective. Predicts all candidates of the space on top of the unpatched model and evaluates
// exactly those of `sample` of each kind (of all if there are fewer) that a search may take.
Result<RankCheck> check_ranking(SearchContext& context, std::uint64_t sample, std::uint64_t seed);

}  // namespace bankai::bfs
