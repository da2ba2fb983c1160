#include "bfs/search_context.h"

#include <algorithm>
#include <utility>

#include "bfs/objective_shard.h"
#include "bfs/overlay.h"
#include "bfs/rivals.h"

namespace bankai::bfs {

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
  std::unique_ptr<SearchContext> context(
      new SearchContext(model, comm, options, data, std::move(hooks)));
  BANKAI_RETURN_IF_ERROR(context->build_objective({}));
  BANKAI_RETURN_IF_ERROR(context->share_data());
  context->make_evaluator();
  return context;
}

Status SearchContext::build_objective(std::span<const patch::Flip> flips) {
  const std::size_t text_context = std::min(options_.text_context, model_.context());
  ObjectiveBuilder builder(model_.tokenizer(), text_context);
  const auto add = [&](const WeightedData& source, Metric metric, bool is_control) -> Status {
    std::vector<Rival> rivals(source.data.probes.size());
    if (metric == Metric::kMargin)
      rivals = find_rivals(communicator_, *model_.make_responder(flips), source.data.probes);
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
  predictor_.reset();
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
  if (!entered_ && state.accepted.empty()) {  // where an evaluator begins
    state_scores_ = base_scores_;
    entered_ = state.accepted;
  }
  if (entered_ != state.accepted) {
    const std::vector<patch::Flip> accepted = flips(state.accepted);
    if (model_.transformer() != nullptr) entered_overlay_ = make_overlay(model(), accepted);
    if (has_rivals() && (entered_ || !state.accepted.empty())) {
      BANKAI_RETURN_IF_ERROR(build_objective(accepted));
      make_evaluator();
    }
    const auto scored = std::find(scored_sets_.begin(), scored_sets_.end(), state.accepted);
    evaluator_is_behind_ = scored != scored_sets_.end() && !has_rivals();
    if (evaluator_is_behind_) {
      const auto first =
          scores_of_sets_.begin() + (scored - scored_sets_.begin()) * std::ssize(objective_.items);
      state_scores_.assign(first, first + std::ssize(objective_.items));
    } else {
      state_scores_ = evaluator_->enter_patch(accepted);
    }
    entered_ = state.accepted;
  }
  state.fitness = fitness_of(state_scores_);  // also where flips were taken back to this state
  return {};
}

GroupEvaluator& SearchContext::evaluator_at_state() {
  if (std::exchange(evaluator_is_behind_, false)) evaluator_->enter_patch(flips(*entered_));
  return *evaluator_;
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

}  // namespace bankai::bfs
