#include "bfs/trial_sets.h"

#include <algorithm>

#include "bfs/candidate_sets.h"

namespace bankai::bfs {
namespace {

// 1, 2, 3, 4, 6, 8, 12, 16, 24 … up to and with `largest`.
std::vector<std::size_t> growing_sizes(std::size_t largest) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size < largest; size *= 2) {
    sizes.push_back(size);
    if (size >= 2 && size + size / 2 < largest) sizes.push_back(size + size / 2);
  }
  if (largest > 0) sizes.push_back(largest);
  return sizes;
}

// How many of `ranked`, from the first, can be flipped on top of `set` within the budgets.
std::size_t count_that_fit(const SearchContext& context, const std::vector<CandidateId>& set,
                           std::span<const CandidateId> ranked) {
  const auto fits = [&](std::size_t count) {
    return context.within_budget(toggled(context.space(), set, ranked.first(count)));
  };
  std::size_t largest = ranked.size();
  if (fits(largest)) return largest;
  // The encoded size grows with the number of flips, so halving finds the largest that fits.
  std::size_t low = 0;
  while (largest - low > 1) {
    const std::size_t middle = low + (largest - low) / 2;
    (fits(middle) ? low : largest) = middle;
  }
  return low;
}

// What takes the accepted flips back, the least useful first: by the fitness that is lost for the
// bytes that come free.
Result<std::vector<CandidateId>> rank_removals(SearchContext& context, SearchState& state) {
  std::vector<CandidateId> ids;
  for (const CandidateId id : state.accepted) ids.push_back(inverse_of(context.space(), id));
  std::sort(ids.begin(), ids.end());
  BANKAI_ASSIGN_OR_RETURN(std::vector<ScoredCandidate> scored, context.score(ids, state));
  const ByFlipKind prices = context.flip_prices(state);
  const auto loss = [&](const ScoredCandidate& candidate) {
    const auto kind = static_cast<std::size_t>(context.space().flip(candidate.id).kind);
    return (state.fitness.fitness - candidate.fitness.fitness) / prices[kind];
  };
  std::sort(scored.begin(), scored.end(), [&](const ScoredCandidate& a, const ScoredCandidate& b) {
    return loss(a) != loss(b) ? loss(a) < loss(b) : a.id < b.id;
  });
  std::transform(scored.begin(), scored.end(), ids.begin(),
                 [](const ScoredCandidate& candidate) { return candidate.id; });
  return ids;
}

}  // namespace

Result<std::vector<std::vector<CandidateId>>> sets_to_try(SearchContext& context,
                                                          std::span<const CandidateId> ranked,
                                                          SearchState& state) {
  const CandidateSpace& space = context.space();
  const std::size_t largest = count_that_fit(context, state.accepted, ranked);
  std::vector<std::vector<CandidateId>> sets;
  for (const std::size_t size : growing_sizes(largest))
    sets.push_back(toggled(space, state.accepted, ranked.first(size)));
  if (largest == ranked.size() || state.accepted.empty()) return sets;

  BANKAI_ASSIGN_OR_RETURN(const std::vector<CandidateId> removals, rank_removals(context, state));
  std::vector<CandidateId> additions(ranked.begin(), ranked.end());
  std::erase_if(additions, [&](CandidateId id) {
    return std::find(removals.begin(), removals.end(), id) != removals.end();
  });
  for (const std::size_t size : growing_sizes(std::min(removals.size(), additions.size()))) {
    const std::vector<CandidateId> kept =
        toggled(space, state.accepted, std::span(removals).first(size));
    const std::size_t count = count_that_fit(context, kept, additions);
    std::vector<CandidateId> set = toggled(space, kept, std::span(additions).first(count));
    // A step may lead back to where the flip that was taken back had led.
    if (count > 0 && !changes_between(space, state.accepted, set).empty())
      sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace bankai::bfs
