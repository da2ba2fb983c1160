#include "bfs/search_options.h"

#include <array>

namespace bankai::bfs {
namespace {

constexpr std::array<StrategyName, 4> kStrategies = {{
    {StrategyKind::kGreedy, "greedy",
     "exact scores, then the best ones together; later rounds score a shortlist again", 8},
    {StrategyKind::kExhaustive, "exhaustive",
     "exact change in loss of every candidate, then one patch from that table", 1},
    {StrategyKind::kHillClimb, "hill-climb",
     "one random flip at a time, kept if it helps (the original Bankai search)", 200},
    {StrategyKind::kEvolve, "evolve",
     "patches bred by exclusive or and by first-order proposals, the fittest kept", 40},
}};

}  // namespace

std::span<const StrategyName> all_strategies() { return kStrategies; }

const StrategyName& strategy_name(StrategyKind kind) {
  return kStrategies[static_cast<std::size_t>(kind)];
}

std::optional<StrategyKind> find_strategy(std::string_view name) {
  for (const StrategyName& entry : kStrategies)
    if (entry.name == name) return entry.kind;
  return std::nullopt;
}

}  // namespace bankai::bfs
