// The part of a search's context that has all ranks compute exact scores.
#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "bfs/item_sample.h"
#include "bfs/search_context.h"
#include "core/check.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kBatchCandidates = 32;
// Multiply-adds that one batch, and one rank between two checkpoints, should not exceed by much.
constexpr std::uint64_t kBatchWork = 1ULL << 38U;
constexpr std::uint64_t kChunkWork = 1ULL << 43U;

// Where candidates cost little, a checkpoint after fewer than these would cost more than they do.
constexpr std::size_t kLeastChunk = 512;
constexpr std::size_t kChunks = 32;  // of a long round

// Runs of candidates in the same half-layer, of bounded work: what a rank takes at a time.
std::vector<IndexRange> make_batches(std::span<const patch::Flip> flips, std::size_t batch_size) {
  std::vector<IndexRange> batches;
  for (std::size_t i = 0; i < flips.size(); ++i) {
    const bool continues =
        !batches.empty() && batches.back().size() < batch_size &&
        half_layer_of(flips[i].tensor) == half_layer_of(flips[batches.back().begin].tensor);
    if (continues) {
      ++batches.back().end;
    } else {
      batches.push_back({i, i + 1});
    }
  }
  return batches;
}

// Where the lowest of the candidates that are in one set alone enters. Ids ascend with layers, but
// within a layer the matrices of the attention come after those of the feed-forward half above it.
HalfLayer lowest_difference(const CandidateSpace& space, std::vector<CandidateId> a,
                            std::vector<CandidateId> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<CandidateId> ids;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(ids));
  BANKAI_CHECK(!ids.empty(), "two sets that are the same");
  HalfLayer lowest = half_layer_of(space.flip(ids.front()).tensor);
  for (const CandidateId id : ids) lowest = std::min(lowest, half_layer_of(space.flip(id).tensor));
  return lowest;
}

}  // namespace

std::uint64_t SearchContext::candidate_work() const {
  return std::max<std::uint64_t>(1, full_cost() / 2 * model_.layer_work());
}

std::size_t SearchContext::candidates_per_chunk(std::size_t count) const {
  const auto ranks = static_cast<std::size_t>(communicator_.size());
  const std::size_t by_work = std::max<std::size_t>(1, kChunkWork / candidate_work()) * ranks;
  return std::min(by_work, std::max(kLeastChunk, count / kChunks));
}

std::size_t SearchContext::candidates_per_batch() const {
  return std::clamp<std::size_t>(kBatchWork / candidate_work(), 1, kBatchCandidates);
}

Result<std::vector<ScoredCandidate>> SearchContext::estimate(std::span<const CandidateId> ids,
                                                             std::span<const std::size_t> items,
                                                             SearchState& state) {
  const std::vector<patch::Flip> all = flips(ids);
  const std::vector<IndexRange> batches = make_batches(all, candidates_per_batch());
  const std::uint64_t tokens = count_tokens(objective_, sequences_of(objective_, items));
  std::vector<std::uint64_t> costs;
  for (const IndexRange& batch : batches)
    costs.push_back(flip_cost(all[batch.begin].tensor) * batch.size() * tokens /
                    objective_.num_tokens());
  const std::vector<std::uint32_t> sequences = evaluator_->sequences_here(items);
  const auto fitness_by_items = [&](std::span<const double> scores) {
    return compute_fitness(objective_, items, base_scores_, scores, options_.control_penalty);
  };
  const Fitness before = fitness_by_items(state_scores_);
  auto scored = evaluator_at_state().evaluate_in_order<ScoredCandidate>(
      costs,
      [&](FlipEvaluator& evaluator, std::size_t index) -> Result<std::vector<double>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        const auto batch = std::span(all).subspan(batches[index].begin, batches[index].size());
        return evaluator.evaluate_flips(batch, sequences);
      },
      [&](std::size_t index, std::span<const double> scores) {
        const std::size_t num_items = objective_.items.size();
        std::vector<ScoredCandidate> results;
        for (std::size_t i = 0; i < batches[index].size(); ++i) {
          const Fitness after = fitness_by_items(scores.subspan(i * num_items, num_items));
          results.push_back(
              {ids[batches[index].begin + i],
               {state.fitness.fitness + (after.fitness - before.fitness),
                state.fitness.target_gain + (after.target_gain - before.target_gain),
                state.fitness.control_loss + (after.control_loss - before.control_loss)}});
        }
        return results;
      });
  if (scored.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scored;
}

Result<std::vector<ScoredCandidate>> SearchContext::score(std::span<const CandidateId> ids,
                                                          SearchState& state,
                                                          std::optional<double> threshold) {
  const std::vector<patch::Flip> all = flips(ids);
  const std::vector<IndexRange> batches = make_batches(all, candidates_per_batch());
  std::vector<std::uint64_t> costs;
  for (const IndexRange& batch : batches)
    costs.push_back(flip_cost(all[batch.begin].tensor) * batch.size());
  const std::size_t num_items = objective_.items.size();
  std::optional<FitnessBound> bound;  // of all items, so of no use over a shard
  if (threshold && num_shards() == 1)
    bound.emplace(objective_, base_scores_, options_.control_penalty, *threshold);
  const auto evaluate = [&](FlipEvaluator& evaluator,
                            std::size_t index) -> Result<std::vector<double>> {
    if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
    hooks_.on_progress(state, static_cast<double>(index) / static_cast<double>(batches.size()));
    const auto batch = std::span(all).subspan(batches[index].begin, batches[index].size());
    if (!bound) return evaluator.evaluate_flips(batch);
    FlipEvaluator::BoundedScores bounded = evaluator.evaluate_flips(batch, *bound);
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (bounded.is_rejected[i] != 0)
        std::fill_n(bounded.scores.begin() + static_cast<std::ptrdiff_t>(i * num_items), num_items,
                    std::numeric_limits<double>::quiet_NaN());
    return std::move(bounded.scores);
  };
  // Which candidates are given up must not depend on how early that was found.
  const auto conclude = [&](std::size_t index, std::span<const double> scores) {
    std::vector<ScoredCandidate> results;
    for (std::size_t i = 0; i < batches[index].size(); ++i) {
      results.push_back(
          {ids[batches[index].begin + i], fitness_of(scores.subspan(i * num_items, num_items))});
      Fitness& fitness = results.back().fitness;
      if (threshold && fitness.fitness <= *threshold)
        fitness = {-std::numeric_limits<double>::infinity(), 0.0, 0.0};
    }
    return results;
  };
  auto scored = evaluator_at_state().evaluate_in_order<ScoredCandidate>(costs, evaluate, conclude);
  if (scored.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scored;
}

Result<std::vector<Fitness>> SearchContext::score_sets(
    std::span<const std::vector<CandidateId>> sets, SearchState& state) {
  std::vector<HalfLayer> lowest;
  std::vector<std::uint64_t> costs;
  for (const std::vector<CandidateId>& set : sets) {
    lowest.push_back(lowest_difference(space_, state.accepted, set));
    costs.push_back(cost_from(lowest.back()));
  }
  scored_sets_.clear();
  auto scores = evaluator_at_state().evaluate_in_order<double>(
      costs,
      [&](FlipEvaluator& evaluator, std::size_t i) -> Result<std::vector<double>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        return evaluator.evaluate_patch(flips(sets[i]), lowest[i]);
      },
      [](std::size_t, std::span<const double> whole) {
        return std::vector<double>(whole.begin(), whole.end());
      });
  if (!scores.ok()) return scores.error();
  state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  scores_of_sets_ = std::move(scores).value();
  scored_sets_.assign(sets.begin(), sets.end());
  std::vector<Fitness> fitness;
  const std::size_t num_items = objective_.items.size();
  for (std::size_t i = 0; i < sets.size(); ++i)
    fitness.push_back(
        fitness_of(std::span<const double>(scores_of_sets_).subspan(i * num_items, num_items)));
  return fitness;
}

Result<std::vector<double>> SearchContext::score_patches(
    std::span<const HalfLayer> from,
    const std::function<std::vector<patch::Flip>(std::size_t)>& patch, SearchState& state) {
  std::vector<std::uint64_t> costs;
  for (const HalfLayer place : from) costs.push_back(cost_from(place));
  auto scores = evaluator_at_state().evaluate_in_order<double>(
      costs,
      [&](FlipEvaluator& evaluator, std::size_t i) -> Result<std::vector<double>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        hooks_.on_progress(state, static_cast<double>(i) / static_cast<double>(from.size()));
        return evaluator.evaluate_patch(patch(i), from[i]);
      },
      [](std::size_t, std::span<const double> whole) {
        return std::vector<double>(whole.begin(), whole.end());
      });
  if (scores.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scores;
}

std::vector<double> SearchContext::score_alone(CandidateId id, std::span<const std::size_t> items) {
  return evaluator_at_state().evaluate_flip(space_.flip(id), items);
}

std::vector<double> SearchContext::score_patch(std::span<const patch::Flip> flips) {
  return evaluator_->evaluate_patch(flips);
}

}  // namespace bankai::bfs
