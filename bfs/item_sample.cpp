#include "bfs/item_sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "bfs/candidate_sample.h"
#include "core/counter_rng.h"

namespace bankai::bfs {
namespace {

std::vector<std::size_t> items_that_are(bool controls, const Objective& objective) {
  std::vector<std::size_t> items;
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    if (objective.items[i].is_control == controls) items.push_back(i);
  return items;
}

// A random part of `some`, at least one if there is any, to `items`.
void add_part(std::span<const std::size_t> some, double fraction, std::uint64_t seed,
              std::vector<std::size_t>& items) {
  if (some.empty()) return;
  const auto count = static_cast<std::uint64_t>(
      std::max(1.0, std::round(fraction * static_cast<double>(some.size()))));
  for (const std::uint64_t index : sample_candidates(0, some.size(), count, seed))
    items.push_back(some[index]);
}

}  // namespace

std::vector<std::size_t> all_items(const Objective& objective) {
  std::vector<std::size_t> items(objective.items.size());
  std::iota(items.begin(), items.end(), std::size_t{0});
  return items;
}

std::vector<std::size_t> sample_items(const Objective& objective, double fraction,
                                      std::uint64_t seed, std::uint64_t round) {
  if (fraction >= 1.0) return all_items(objective);
  std::vector<std::size_t> targets = items_that_are(false, objective);
  std::vector<std::size_t> items = items_that_are(true, objective);
  add_part(targets, fraction, CounterRng(seed).bits(round), items);
  std::sort(items.begin(), items.end());
  return items;
}

std::vector<std::size_t> sample_both(const Objective& objective, double fraction,
                                     std::uint64_t seed, std::uint64_t round) {
  if (fraction >= 1.0) return all_items(objective);
  std::vector<std::size_t> items;
  const CounterRng random(CounterRng(seed).bits(round));
  for (const bool is_control : {false, true})
    add_part(items_that_are(is_control, objective), fraction, random.bits(is_control ? 1 : 0),
             items);
  std::sort(items.begin(), items.end());
  return items;
}

std::vector<std::uint32_t> sequences_of(const Objective& objective,
                                        std::span<const std::size_t> items) {
  std::set<std::uint32_t> sequences;
  for (const std::size_t i : items)
    for (std::size_t term = objective.items[i].first_term; term < objective.items[i].last_term;
         ++term)
      sequences.insert(objective.terms[term].sequence);
  return {sequences.begin(), sequences.end()};
}

std::uint64_t count_tokens(const Objective& objective, std::span<const std::uint32_t> sequences) {
  std::uint64_t tokens = 0;
  for (const std::uint32_t sequence : sequences) tokens += objective.sequences[sequence].size();
  return tokens;
}

}  // namespace bankai::bfs
