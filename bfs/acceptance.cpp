#include "bfs/acceptance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "bfs/candidate_sets.h"

namespace bankai::bfs {
namespace {

// What a flip acts on first: gate and up rows of equal index share a hidden unit.
using Unit = std::tuple<std::uint32_t, Projection, std::uint32_t>;

Unit unit_of(const patch::Flip& flip) {
  const Projection projection =
      flip.tensor.projection == Projection::kUp ? Projection::kGate : flip.tensor.projection;
  return {flip.tensor.layer, projection, flip.row};
}

constexpr std::size_t kSetsTogether = 2;  // from the largest down

std::ptrdiff_t offset(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

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

std::vector<CandidateId> rank_improving(const SearchContext& context, const SearchState& state) {
  const ByFlipKind prices = context.flip_prices(state);
  struct Improving {
    double worth;
    ScoredCandidate candidate;
  };
  std::vector<Improving> improving;
  for (const ScoredCandidate& candidate : state.scored) {
    const double penalty =
        context.options().flip_penalty * growth(context.space(), state.accepted, candidate.id);
    const double gain = candidate.fitness.fitness - state.fitness.fitness - penalty;
    const auto kind = static_cast<std::size_t>(context.space().flip(candidate.id).kind);
    if (gain > 0.0) improving.push_back({gain / prices[kind], candidate});
  }
  std::sort(improving.begin(), improving.end(), [](const Improving& a, const Improving& b) {
    return a.worth != b.worth ? a.worth > b.worth
                              : ScoredCandidate::better(a.candidate, b.candidate);
  });
  std::set<Unit> taken;
  std::vector<CandidateId> ids;
  for (const Improving& entry : improving)
    if (taken.insert(unit_of(context.space().flip(entry.candidate.id))).second)
      ids.push_back(entry.candidate.id);
  return ids;
}

// A candidate has to gain more than nothing, and one that takes a flip back more than minus the
// penalty. The difference is rounded once, so the next number below it is at most the true one.
double useless_fitness(const SearchContext& context, const SearchState& state) {
  return std::nextafter(state.fitness.fitness - context.options().flip_penalty,
                        -std::numeric_limits<double>::infinity());
}

Status score_in_chunks(SearchContext& context, std::span<const CandidateId> ids, SearchState& state,
                       std::optional<double> threshold) {
  const std::size_t chunk = context.candidates_per_chunk(ids.size());
  while (state.scored.size() < ids.size()) {
    const std::span<const CandidateId> rest = ids.subspan(state.scored.size());
    BANKAI_ASSIGN_OR_RETURN(
        const auto results,
        context.score(rest.first(std::min(chunk, rest.size())), state, threshold));
    state.scored.insert(state.scored.end(), results.begin(), results.end());
    context.hooks().on_progress(
        state, static_cast<double>(state.scored.size()) / static_cast<double>(ids.size()));
    context.hooks().on_checkpoint(state);
  }
  return {};
}

Result<bool> accept_best_prefix(SearchContext& context, std::span<const CandidateId> ranked,
                                SearchState& state, PrefixSizes which) {
  const auto fits = [&](std::size_t count) {
    return context.within_budget(toggled(context.space(), state.accepted, ranked.first(count)));
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
    sets.push_back(toggled(context.space(), state.accepted, ranked.first(size)));
  if (sets.empty()) return false;
  const double penalty = context.options().flip_penalty;
  const auto net = [&](double value, std::size_t flips) {
    return value - penalty * static_cast<double>(flips);
  };
  const double needed =
      net(state.fitness.fitness, state.accepted.size()) + context.options().min_gain;
  const std::uint64_t work_before = state.work;
  std::vector<Fitness> fitness(sets.size());
  std::vector<double> values(sets.size());
  std::size_t untried = sets.size();  // the smallest ones
  for (bool goes_on = true; goes_on && untried > 0;) {
    const IndexRange some{
        which == PrefixSizes::kAll || untried <= kSetsTogether ? 0 : untried - kSetsTogether,
        untried};
    const auto found = context.score_sets(std::span(sets).subspan(some.begin, some.size()), state);
    if (!found.ok()) {
      state.work = work_before;  // all of them are tried again
      return found.error();
    }
    for (std::size_t i = some.begin; i < some.end; ++i) {
      fitness[i] = (*found)[i - some.begin];
      values[i] = net(fitness[i].fitness, sets[i].size());
    }
    untried = some.begin;
    const double best = *std::max_element(values.begin() + offset(untried), values.end());
    goes_on = !(best > needed) || values[untried] == best;
  }
  std::vector<std::size_t> order(sets.size() - untried);
  std::iota(order.begin(), order.end(), untried);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  for (const std::size_t i : order) {
    if (!(values[i] > needed)) return false;
    if (!context.is_acceptable(sets[i], state)) continue;
    state.accepted = std::move(sets[i]);
    state.fitness = fitness[i];
    return true;
  }
  return false;
}

}  // namespace bankai::bfs
