#include "bfs/search_context.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "bfs/candidate_sample.h"
#include "bfs/flip_cost.h"
#include "bfs/item_sample.h"
#include "bfs/objective_shard.h"
#include "bfs/overlay.h"
#include "bfs/rivals.h"
#include "bfs/single_weights.h"
#include "patch/patch_binary.h"

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

SearchContext::SearchContext(SearchModel& model, mpi::Communicator& comm,
                             const SearchOptions& options, const SearchData& data,
                             SearchHooks hooks)
    : model_(model),
      communicator_(comm),
      options_(options),
      data_(data),
      hooks_(std::move(hooks)),
      space_(model.weights(), options.tensors, options.granularity) {
  for (const TensorAddress tensor : space_.tensors()) {
    shapes_[tensor] = *patch::shape_of(tensor, *model.weights()(tensor));
  }
  if (options_.iterations == 0)
    options_.iterations = strategy_name(options_.strategy).default_iterations;
}

Result<std::unique_ptr<SearchContext>> SearchContext::create(model::Transformer& transformer,
                                                             mpi::Communicator& comm,
                                                             const SearchOptions& options,
                                                             const SearchData& data,
                                                             SearchHooks hooks) {
  std::unique_ptr<SearchModel> model = make_search_model(transformer);
  BANKAI_ASSIGN_OR_RETURN(std::unique_ptr<SearchContext> context,
                          create(*model, comm, options, data, std::move(hooks)));
  context->own_model_ = std::move(model);
  return context;
}

Result<std::unique_ptr<SearchContext>> SearchContext::create(SearchModel& model,
                                                             mpi::Communicator& comm,
                                                             const SearchOptions& options,
                                                             const SearchData& data,
                                                             SearchHooks hooks) {
  for (const Metric metric : {options.metric, options.control_metric})
    if (model.transformer() == nullptr && (metric == Metric::kMargin || metric == Metric::kKl))
      return make_error(ErrorCode::kUnsupported,
                        "metric %s is not for this kind of model: expected nll, seq_logprob or "
                        "token_gap",
                        std::string(metric_name(metric)).c_str());
  std::unique_ptr<SearchContext> context(
      new SearchContext(model, comm, options, data, std::move(hooks)));
  BANKAI_RETURN_IF_ERROR(context->build_objective({}));
  BANKAI_RETURN_IF_ERROR(context->share_data());
  context->make_evaluator();
  return context;
}

Status SearchContext::build_objective(const model::RowOverlay& overlay) {
  const std::size_t text_context = std::min(options_.text_context, model_.context());
  ObjectiveBuilder builder(model_.tokenizer(), text_context);
  const auto add = [&](const WeightedData& source, Metric metric, bool is_control) -> Status {
    std::vector<Rival> rivals(source.data.probes.size());
    if (metric == Metric::kMargin)
      rivals = find_rivals(communicator_, transformer(), {&overlay, {}}, source.data.probes);
    for (std::size_t i = 0; i < source.data.probes.size(); ++i)
      BANKAI_RETURN_IF_ERROR(
          builder.add_probe(source.data.probes[i], metric, source.weight, is_control, rivals[i]));
    for (const std::string& text : source.data.texts)
      BANKAI_RETURN_IF_ERROR(
          builder.add_text(source.data.path, text, metric, source.weight, is_control));
    return {};
  };
  for (std::size_t i = 0; i < data_.targets.size(); ++i) {
    builder.begin_set(static_cast<std::uint32_t>(i));
    BANKAI_RETURN_IF_ERROR(add(data_.targets[i], options_.metric, false));
  }
  for (std::size_t i = 0; i < data_.controls.size(); ++i) {
    builder.begin_set(static_cast<std::uint32_t>(i));
    BANKAI_RETURN_IF_ERROR(add(data_.controls[i], options_.control_metric, true));
  }
  evaluator_.reset();
  sensitivity_.reset();
  objective_ = std::move(builder).build();
  return {};
}

// Groups of ranks, where one rank is not to keep the activations of all data.
Status SearchContext::share_data() {
  const int ranks = communicator_.size();
  auto shards = static_cast<int>(
      std::min({options_.shards, static_cast<std::size_t>(ranks), objective_.items.size()}));
  if (shards == 0) {
    const std::uint64_t bytes = model_.bytes_per_token(kept_tensors());
    BANKAI_ASSIGN_OR_RETURN(shards,
                            shards_for_memory(objective_, bytes, options_.activation_bytes, ranks));
  }
  if (shards > 1) groups_.emplace(communicator_, mpi::GroupLayout(ranks, shards));
  return {};
}

std::span<const TensorAddress> SearchContext::kept_tensors() const {
  return options_.only_ranks ? std::span<const TensorAddress>() : options_.tensors;
}

void SearchContext::make_evaluator() {
  evaluator_ = std::make_unique<GroupEvaluator>(model_, objective_, kept_tensors(), communicator_,
                                                groups_ ? &*groups_ : nullptr);
  // Scores are relative to the unpatched model with rivals of its own, so to the first objective.
  if (base_scores_.empty()) base_scores_ = evaluator_->base_scores();
}

bool SearchContext::has_rivals() const {
  return options_.metric == Metric::kMargin || options_.control_metric == Metric::kMargin;
}

Status SearchContext::enter_state(SearchState& state) {
  if (entered_ != state.accepted) {
    const std::vector<patch::Flip> accepted = flips(state.accepted);
    if (model_.transformer() != nullptr) entered_overlay_ = make_overlay(model(), accepted);
    if (has_rivals() && (entered_ || !state.accepted.empty())) {
      BANKAI_RETURN_IF_ERROR(build_objective(entered_overlay_));
      make_evaluator();
    }
    state_scores_ = evaluator_->enter_patch(accepted);
    entered_ = state.accepted;
  }
  state.fitness = fitness_of(state_scores_);  // also where flips were taken back to this state
  return {};
}

bool SearchContext::is_acceptable(std::span<const CandidateId> ids, SearchState& state) {
  if (!options_.pareto && options_.min_effect <= 0.0) return true;
  const std::vector<double> scores = score_patch(flips(ids));
  state.work += full_cost();
  if (options_.pareto && !pareto_allows(set_gains(state_scores_), set_gains(scores))) return false;
  return options_.min_effect <= 0.0 ||
         target_effect(objective_, state_scores_, scores) > options_.min_effect;
}

Fitness SearchContext::fitness_of(std::span<const double> item_scores) const {
  return compute_fitness(objective_, base_scores_, item_scores, options_.control_penalty);
}

std::vector<double> SearchContext::set_gains(std::span<const double> item_scores) const {
  return compute_set_gains(objective_, base_scores_, item_scores);
}

std::vector<patch::Flip> SearchContext::flips(std::span<const CandidateId> ids) const {
  std::vector<patch::Flip> result;
  for (const CandidateId id : ids) result.push_back(space_.flip(id));
  return result;
}

std::uint64_t SearchContext::cost_from(HalfLayer from) const {
  return half_layers_from(from, model_.num_layers()) * objective_.num_tokens();
}

std::uint64_t SearchContext::candidate_work() const {
  return std::max<std::uint64_t>(1, full_cost() / 2 * model_.layer_work());
}

std::size_t SearchContext::candidates_per_chunk(std::size_t count) const {
  const auto ranks = static_cast<std::size_t>(communicator_.size());
  const std::size_t by_work = std::max<std::size_t>(1, kChunkWork / candidate_work()) * ranks;
  return std::min(by_work, std::max(kLeastChunk, count / kChunks));
}

Status SearchContext::predict(std::span<const std::size_t> items, SearchState& state,
                              ChangeSink& sink) {
  if (sensitivity_ == nullptr)
    sensitivity_ = std::make_unique<Sensitivity>(transformer(), objective_, space_,
                                                 SensitivityOptions{options_.curvature});
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t work,
                          sensitivity_->run(communicator_, entered_overlay_, items, base_scores_,
                                            state_scores_, hooks_.should_stop, sink));
  state.work += work;
  return {};
}

// The sample depends on seed and round alone.
Result<std::vector<Proposal>> SearchContext::propose_by_sample(std::size_t count,
                                                               SearchState& state) {
  const CandidateId all = space_.size();
  const std::vector<CandidateId> ids =
      sample_candidates(0, all, options_.candidates > 0 ? std::min(options_.candidates, all) : all,
                        options_.seed + state.round);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<ScoredCandidate> scored, score(ids, state));
  const ByFlipKind prices = flip_prices(state);
  std::vector<Proposal> proposals;
  for (const ScoredCandidate& candidate : scored) {
    const Fitness& after = candidate.fitness;
    const double gain = after.fitness - state.fitness.fitness;
    if (gain > 0.0)
      proposals.push_back(
          {candidate.id, gain, after.target_gain - state.fitness.target_gain,
           after.control_loss - state.fitness.control_loss,
           gain / prices[static_cast<std::size_t>(space_.flip(candidate.id).kind)]});
  }
  std::sort(proposals.begin(), proposals.end(), Proposal::better);
  if (proposals.size() > count) proposals.resize(count);
  return proposals;
}

Result<std::vector<Proposal>> SearchContext::propose(std::size_t count, SearchState& state) {
  if (model_.transformer() == nullptr) return propose_by_sample(count, state);
  BestChanges best(space_, count, options_.control_penalty, flip_prices(state),
                   [this](CandidateId id) { return is_legal(id); });
  BANKAI_RETURN_IF_ERROR(predict(
      sample_items(objective_, options_.probe_fraction, options_.seed, state.round), state, best));
  return std::move(best).proposals();
}

bool SearchContext::is_legal(CandidateId id) const {
  const patch::Flip flip = space_.flip(id);
  return !patch::is_step(flip.kind) || bfs::is_legal(model(), entered_overlay_, flip);
}

ByFlipKind SearchContext::flip_prices(const SearchState& state) const {
  ByFlipKind prices;
  prices.fill(1.0);
  if (options_.budget_bytes == 0) return prices;
  std::vector<patch::TensorShape> shapes;
  for (const auto& [tensor, shape] : shapes_) shapes.push_back(shape);
  const FlipCost cost(shapes);
  std::array<std::uint64_t, patch::kNumFlipKinds> counts = {};
  for (const CandidateId id : state.accepted)
    ++counts[static_cast<std::size_t>(space_.flip(id).kind)];
  for (const patch::FlipKind kind : kFlipKinds) {
    const auto index = static_cast<std::size_t>(kind);
    if (counts[index] < cost.num_places(kind))
      prices[index] = cost.marginal_bits(kind, counts[index]) / 8.0;
  }
  return prices;
}

Result<std::vector<ScoredCandidate>> SearchContext::score(std::span<const CandidateId> ids,
                                                          SearchState& state,
                                                          std::optional<double> threshold) {
  const std::vector<patch::Flip> all = flips(ids);
  const auto batch_size =
      std::clamp<std::size_t>(kBatchWork / candidate_work(), 1, kBatchCandidates);
  const std::vector<IndexRange> batches = make_batches(all, batch_size);
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
  auto scored = evaluator_->evaluate_in_order<ScoredCandidate>(costs, evaluate, conclude);
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
  auto scored = evaluator_->evaluate_in_order<Fitness>(
      costs,
      [&](FlipEvaluator& evaluator, std::size_t i) -> Result<std::vector<double>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        return evaluator.evaluate_patch(flips(sets[i]), lowest[i]);
      },
      [&](std::size_t, std::span<const double> scores) {
        return std::vector<Fitness>{fitness_of(scores)};
      });
  if (scored.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scored;
}

Result<std::vector<double>> SearchContext::score_patches(
    std::span<const HalfLayer> from,
    const std::function<std::vector<patch::Flip>(std::size_t)>& patch, SearchState& state) {
  std::vector<std::uint64_t> costs;
  for (const HalfLayer place : from) costs.push_back(cost_from(place));
  auto scores = evaluator_->evaluate_in_order<double>(
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
  return evaluator_->evaluate_flip(space_.flip(id), items);
}

std::vector<double> SearchContext::score_patch(std::span<const patch::Flip> flips) {
  return evaluator_->evaluate_patch(flips);
}

Result<patch::Patch> SearchContext::make_patch(std::span<const CandidateId> ids) const {
  patch::Patch patch;
  patch.name = options_.patch_name;
  BANKAI_ASSIGN_OR_RETURN(patch.flips, patch::FlipSet::make(flips(ids), shapes_));
  return patch;
}

std::size_t SearchContext::patch_bytes(std::span<const CandidateId> ids) const {
  Result<patch::Patch> patch = make_patch(ids);
  BANKAI_CHECK(patch.ok(), "a candidate outside its tensor");
  patch->base.shapes = shapes_;
  patch::drop_untouched(patch->base, patch->flips);
  if (!options_.bare) patch->base.hash.emplace();  // its value does not change the size
  return patch::binary_size_bytes(*patch);
}

bool SearchContext::within_budget(std::span<const CandidateId> ids) const {
  if (options_.budget_flips > 0 && ids.size() > options_.budget_flips) return false;
  return options_.budget_bytes == 0 || patch_bytes(ids) <= options_.budget_bytes;
}

}  // namespace bankai::bfs
