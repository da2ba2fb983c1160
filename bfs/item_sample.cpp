#include "bfs/item_sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bfs/candidate_sample.h"
#include "core/counter_rng.h"

namespace bankai::bfs {

std::vector<std::size_t> all_items(const Objective& objective) {
  std::vector<std::size_t> items(objective.items.size());
  std::iota(items.begin(), items.end(), std::size_t{0});
  return items;
}

std::vector<std::size_t> sample_items(const Objective& objective, double fraction,
                                      std::uint64_t seed, std::uint64_t round) {
  if (fraction >= 1.0) return all_items(objective);
  std::vector<std::size_t> targets, items;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    (objective.items[i].is_control ? items : targets).push_back(i);
  const auto count = static_cast<std::uint64_t>(
      std::max(1.0, std::round(fraction * static_cast<double>(targets.size()))));
  const std::uint64_t round_seed = CounterRng(seed).bits(round);
  for (const std::uint64_t index : sample_candidates(0, targets.size(), count, round_seed))
    items.push_back(targets[index]);
  std::sort(items.begin(), items.end());
  return items;
}

}  // namespace bankai::bfs
