#include "bfs/strategy.h"

namespace bankai::bfs {

std::unique_ptr<Strategy> make_strategy(const SearchContext& context, const SearchState& state) {
  switch (context.options().strategy) {
    case StrategyKind::kGreedy: return make_greedy();
    case StrategyKind::kExhaustive: return make_exhaustive();
    case StrategyKind::kHillClimb: return make_hill_climb(context, state);
    case StrategyKind::kEvolve: return make_evolve();
  }
  return nullptr;
}

}  // namespace bankai::bfs
