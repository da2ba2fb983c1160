#include "bfs/search_context.h"

#include <algorithm>
#include <numeric>

#include "bfs/overlay.h"
#include "bfs/rivals.h"
#include "mpi/scheduling.h"
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

}  // namespace

SearchContext::SearchContext(model::Transformer& transformer, mpi::Communicator& comm,
                             const SearchOptions& options, const SearchData& data,
                             SearchHooks hooks)
    : transformer_(transformer),
      communicator_(comm),
      options_(options),
      data_(data),
      hooks_(std::move(hooks)),
      space_(transformer.model(), options.tensors, options.granularity) {
  for (const TensorAddress tensor : space_.tensors()) {
    const BitMatrixView matrix = *model().bit_matrix(tensor);
    shapes_[tensor] = {static_cast<std::uint32_t>(matrix.rows()),
                       static_cast<std::uint32_t>(matrix.cols())};
  }
  if (options_.iterations == 0)
    options_.iterations = strategy_name(options_.strategy).default_iterations;
}

Result<std::unique_ptr<SearchContext>> SearchContext::create(model::Transformer& transformer,
                                                             mpi::Communicator& comm,
                                                             const SearchOptions& options,
                                                             const SearchData& data,
                                                             SearchHooks hooks) {
  std::unique_ptr<SearchContext> context(
      new SearchContext(transformer, comm, options, data, std::move(hooks)));
  BANKAI_RETURN_IF_ERROR(context->build_objective({}));
  return context;
}

Status SearchContext::build_objective(const model::RowOverlay& overlay) {
  const std::size_t text_context = std::min(options_.text_context, model().parameters().context);
  ObjectiveBuilder builder(model().tokenizer(), text_context);
  const auto add = [&](const WeightedData& source, Metric metric, bool is_control) -> Status {
    std::vector<Rival> rivals(source.data.probes.size());
    if (metric == Metric::kMargin)
      rivals = find_rivals(transformer_, {&overlay, {}}, source.data.probes);
    for (std::size_t i = 0; i < source.data.probes.size(); ++i)
      BANKAI_RETURN_IF_ERROR(
          builder.add_probe(source.data.probes[i], metric, source.weight, is_control, rivals[i]));
    for (const std::string& text : source.data.texts)
      BANKAI_RETURN_IF_ERROR(
          builder.add_text(source.data.path, text, metric, source.weight, is_control));
    return {};
  };
  for (const WeightedData& target : data_.targets)
    BANKAI_RETURN_IF_ERROR(add(target, options_.metric, false));
  for (const WeightedData& control : data_.controls)
    BANKAI_RETURN_IF_ERROR(add(control, options_.control_metric, true));
  evaluator_.reset();
  objective_ = std::move(builder).build();
  evaluator_ = std::make_unique<Evaluator>(transformer_, objective_, options_.tensors);
  return {};
}

Status SearchContext::enter_state(SearchState& state) {
  if (entered_ != state.accepted) {
    model::RowOverlay overlay = make_overlay(model(), flips(state.accepted));
    const bool uses_rivals =
        options_.metric == Metric::kMargin || options_.control_metric == Metric::kMargin;
    if (uses_rivals && !state.accepted.empty()) BANKAI_RETURN_IF_ERROR(build_objective(overlay));
    state_scores_ = evaluator_->set_state(std::move(overlay));
    entered_ = state.accepted;
  }
  state.fitness = fitness_of(state_scores_);  // also where flips were taken back to this state
  return {};
}

Fitness SearchContext::fitness_of(std::span<const double> item_scores) const {
  return compute_fitness(objective_, evaluator_->base_scores(), item_scores,
                         options_.control_penalty);
}

std::vector<patch::Flip> SearchContext::flips(std::span<const CandidateId> ids) const {
  std::vector<patch::Flip> result;
  for (const CandidateId id : ids) result.push_back(space_.flip(id));
  return result;
}

std::uint64_t SearchContext::candidate_work() const {
  const model::Hyperparameters& h = model().parameters();
  const std::uint64_t layer_weights =
      h.embedding * (2 * h.query_dim() + 2 * h.kv_dim() + 3 * h.feed_forward);
  return std::max<std::uint64_t>(1, evaluator_->full_cost() / 2 * layer_weights);
}

std::size_t SearchContext::candidates_per_chunk(std::size_t count) const {
  const auto ranks = static_cast<std::size_t>(communicator_.size());
  const std::size_t by_work = std::max<std::size_t>(1, kChunkWork / candidate_work()) * ranks;
  return std::min(by_work, std::max(kLeastChunk, count / kChunks));
}

Result<std::vector<ScoredCandidate>> SearchContext::score(std::span<const CandidateId> ids,
                                                          SearchState& state) {
  const std::vector<patch::Flip> all = flips(ids);
  const auto batch_size =
      std::clamp<std::size_t>(kBatchWork / candidate_work(), 1, kBatchCandidates);
  const std::vector<IndexRange> batches = make_batches(all, batch_size);
  std::vector<std::uint64_t> costs;
  for (const IndexRange& batch : batches)
    costs.push_back(evaluator_->flip_cost(all[batch.begin].tensor) * batch.size());
  auto scored = mpi::evaluate_in_order<ScoredCandidate>(
      communicator_, costs, [&](std::size_t index) -> Result<std::vector<ScoredCandidate>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        hooks_.on_progress(state, static_cast<double>(index) / static_cast<double>(batches.size()));
        const IndexRange batch = batches[index];
        const std::size_t num_items = objective_.items.size();
        const std::vector<double> scores =
            evaluator_->evaluate_flips(std::span(all).subspan(batch.begin, batch.size()));
        std::vector<ScoredCandidate> results;
        for (std::size_t i = 0; i < batch.size(); ++i)
          results.push_back({ids[batch.begin + i],
                             fitness_of(std::span(scores).subspan(i * num_items, num_items))});
        return results;
      });
  if (scored.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scored;
}

Result<std::vector<Fitness>> SearchContext::score_sets(
    std::span<const std::vector<CandidateId>> sets, SearchState& state) {
  std::vector<HalfLayer> lowest;
  std::vector<std::uint64_t> costs;
  for (const std::vector<CandidateId>& set : sets) {
    BANKAI_CHECK(!set.empty(), "a set without candidates");
    // Ids ascend with depth.
    lowest.push_back(half_layer_of(space_.flip(*std::min_element(set.begin(), set.end())).tensor));
    costs.push_back(evaluator_->cost_from(lowest.back()));
  }
  auto scored = mpi::evaluate_in_order<Fitness>(
      communicator_, costs, [&](std::size_t i) -> Result<std::vector<Fitness>> {
        if (hooks_.should_stop()) return Error{ErrorCode::kStopped, "stopped"};
        std::vector<CandidateId> all = state.accepted;
        all.insert(all.end(), sets[i].begin(), sets[i].end());
        return std::vector<Fitness>{
            fitness_of(evaluator_->evaluate_overlay(make_overlay(model(), flips(all)), lowest[i]))};
      });
  if (scored.ok()) state.work = std::accumulate(costs.begin(), costs.end(), state.work);
  return scored;
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
  patch->base.hash.emplace();  // its value does not change the size
  return patch::binary_size_bytes(*patch);
}

bool SearchContext::within_budget(std::span<const CandidateId> ids) const {
  if (options_.budget_flips > 0 && ids.size() > options_.budget_flips) return false;
  return options_.budget_bytes == 0 || patch_bytes(ids) <= options_.budget_bytes;
}

}  // namespace bankai::bfs
