#include "bfs/acceptance.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace bankai::bfs {
namespace {

// What a flip acts on first: gate and up rows of equal index share a hidden unit.
using Unit = std::tuple<std::uint32_t, Projection, std::uint32_t>;

Unit unit_of(const patch::Flip& flip) {
  const Projection projection =
      flip.tensor.projection == Projection::kUp ? Projection::kGate : flip.tensor.projection;
  return {flip.tensor.layer, projection, flip.row};
}

// 1, 2, 3, 4, 6, 8, 12, 16, 24 … up to and with `largest`.
std::vector<std::size_t> prefix_sizes(std::size_t largest) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size < largest; size *= 2) {
    sizes.push_back(size);
    if (size >= 2 && size + size / 2 < largest) sizes.push_back(size + size / 2);
  }
  if (largest > 0) sizes.push_back(largest);
  return sizes;
}

}  // namespace

std::vector<CandidateId> rank_improving(const SearchContext& context,
                                        std::span<const ScoredCandidate> scored, double current) {
  std::vector<ScoredCandidate> improving;
  std::copy_if(
      scored.begin(), scored.end(), std::back_inserter(improving),
      [&](const ScoredCandidate& candidate) { return candidate.fitness.fitness > current; });
  std::sort(improving.begin(), improving.end(), ScoredCandidate::better);
  std::set<Unit> taken;
  std::vector<CandidateId> ids;
  for (const ScoredCandidate& candidate : improving)
    if (taken.insert(unit_of(context.space().flip(candidate.id))).second)
      ids.push_back(candidate.id);
  return ids;
}

Result<bool> accept_best_prefix(SearchContext& context, std::span<const CandidateId> ranked,
                                SearchState& state) {
  const auto fits = [&](std::size_t count) {
    std::vector<CandidateId> ids = state.accepted;
    ids.insert(ids.end(), ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count));
    return context.within_budget(ids);
  };
  std::size_t largest = ranked.size();
  if (!fits(largest)) {  // the encoded size grows with the number of flips, so halving finds the
                         // largest that fits
    std::size_t low = 0;
    while (largest - low > 1) {
      const std::size_t middle = low + (largest - low) / 2;
      (fits(middle) ? low : largest) = middle;
    }
    largest = low;
  }
  std::vector<std::vector<CandidateId>> sets;
  for (const std::size_t size : prefix_sizes(largest))
    sets.emplace_back(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(size));
  if (sets.empty()) return false;
  BANKAI_ASSIGN_OR_RETURN(const std::vector<Fitness> fitness, context.score_sets(sets, state));
  const auto best = static_cast<std::size_t>(
      std::max_element(fitness.begin(), fitness.end(),
                       [](const Fitness& a, const Fitness& b) { return a.fitness < b.fitness; }) -
      fitness.begin());
  if (!(fitness[best].fitness > state.fitness.fitness + context.options().min_gain)) return false;
  state.accepted.insert(state.accepted.end(), sets[best].begin(), sets[best].end());
  state.fitness = fitness[best];
  return true;
}

}  // namespace bankai::bfs
