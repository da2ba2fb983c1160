#include "bfs/acceptance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "bfs/candidate_sets.h"
#include "bfs/trial_sets.h"

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

// A set that was evaluated. value: its fitness less the penalty of its flips.
struct Trial {
  std::vector<CandidateId> set;
  Fitness fitness;
  double value = 0.0;
  bool is_refused = false;
};

// The acceptable one of the highest value above `needed`, the first of equals; nullptr if there is
// none.
const Trial* best_acceptable(SearchContext& context, std::vector<Trial>& trials, double needed,
                             SearchState& state) {
  for (;;) {
    Trial* best = nullptr;
    for (Trial& trial : trials)
      if (!trial.is_refused && trial.value > (best == nullptr ? needed : best->value))
        best = &trial;
    if (best == nullptr || context.is_acceptable(best->set, state)) return best;
    best->is_refused = true;
  }
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

Result<bool> accept_best_set(SearchContext& context, std::span<const CandidateId> ranked,
                             SearchState& state, TrialOrder order) {
  const std::uint64_t work_before = state.work;
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::vector<CandidateId>> sets,
                          sets_to_try(context, ranked, state));
  const double penalty = context.options().flip_penalty;
  const auto net = [&](double value, std::size_t flips) {
    return value - penalty * static_cast<double>(flips);
  };
  const double needed =
      net(state.fitness.fitness, state.accepted.size()) + context.options().min_gain;
  std::vector<Trial> trials;  // of the largest changes, the smallest of them first
  while (trials.size() < sets.size()) {
    const std::size_t left = sets.size() - trials.size();
    const std::size_t count =
        order == TrialOrder::kAllAtOnce ? left : std::min(left, kSetsTogether);
    const auto some = std::span(sets).subspan(left - count, count);
    const auto found = context.score_sets(some, state);
    if (!found.ok()) {
      state.work = work_before;  // all of them are tried again
      return found.error();
    }
    std::vector<Trial> wave;
    for (std::size_t i = 0; i < count; ++i)
      wave.push_back({some[i], (*found)[i], net((*found)[i].fitness, some[i].size())});
    trials.insert(trials.begin(), wave.begin(), wave.end());
    const double best =
        std::max_element(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) {
          return a.value < b.value;
        })->value;
    const bool may_be_better = !(best > needed) || trials.front().value == best;
    if (may_be_better && trials.size() < sets.size()) continue;
    const Trial* taken = best_acceptable(context, trials, needed, state);
    if (taken == nullptr) continue;
    state.accepted = taken->set;
    state.fitness = taken->fitness;
    return true;
  }
  return false;
}

}  // namespace bankai::bfs
