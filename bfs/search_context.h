// What all strategies work with: the model, the objective, the candidates, and exact scores of them
// computed by all ranks together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bfs/group_evaluator.h"
#include "bfs/proposal.h"
#include "bfs/search_options.h"
#include "bfs/search_state.h"
#include "bfs/sensitivity.h"
#include "mpi/communicator.h"
#include "patch/patch.h"

namespace bankai::bfs {

// How the program above looks on. Called on every rank; only rank 0 should print or write.
struct SearchHooks {
  // Polled often: true ends the search with kStopped at the next chance.
  std::function<bool()> should_stop = [] { return false; };
  // Part of the current step, in [0, 1].
  std::function<void(const SearchState&, double)> on_progress = [](const SearchState&, double) {};
  // The state changed: a checkpoint may be written.
  std::function<void(const SearchState&)> on_checkpoint = [](const SearchState&) {};
  // A round is complete.
  std::function<void(const SearchState&)> on_round = [](const SearchState&) {};
};

class SearchContext {
 public:
  // Collective, as is the end of the context. References must outlive it. Errors: kBadInput for
  // probes that the metric cannot use; kUsage if the data do not fit into the memory allowed.
  static Result<std::unique_ptr<SearchContext>> create(SearchModel& model, mpi::Communicator& comm,
                                                       const SearchOptions& options,
                                                       const SearchData& data, SearchHooks hooks);
  static Result<std::unique_ptr<SearchContext>> create(model::Transformer& transformer,
                                                       mpi::Communicator& comm,
                                                       const SearchOptions& options,
                                                       const SearchData& data, SearchHooks hooks);

  const SearchOptions& options() const { return options_; }
  const SearchHooks& hooks() const { return hooks_; }
  SearchModel& search_model() const { return model_; }
  // REQUIRES: a model that a transformer runs.
  model::Transformer& transformer() const { return *model_.transformer(); }
  const model::Model& model() const { return transformer().model(); }
  const CandidateSpace& space() const { return space_; }
  const Objective& objective() const { return objective_; }
  mpi::Communicator& communicator() { return communicator_; }

  // Whether scores compare with the model's own wrong answers, which change with the state.
  bool has_rivals() const;

  // Ranks that share the data with this one and evaluate together with it; 1 if it has all data.
  int num_shards() const { return groups_ ? groups_->num_shards() : 1; }

  // Work in tokens × half-layers: of a pass from a half-layer upwards, of a flip, and of a full
  // pass. Tokens count as often as sequences have them, and once for all ranks.
  std::uint64_t cost_from(HalfLayer from) const;
  std::uint64_t flip_cost(TensorAddress tensor) const { return cost_from(half_layer_of(tensor)); }
  std::uint64_t full_cost() const { return cost_from({}); }

  // Collective. Makes the accepted flips the state that candidates are scored from; refreshes
  // rivals (margin) and `state.fitness`. Cheap if they are entered already, or if their set is one
  // of those scored last: then activations are computed when a candidate is scored.
  Status enter_state(SearchState& state);
  // Item scores (items) of the unpatched model.
  std::span<const double> base_scores() const { return base_scores_; }
  // Item scores (items) of the state entered last.
  std::span<const double> state_scores() const { return state_scores_; }

  // Collective. Predicted changes of all candidates on top of the state, by first order, to `sink`;
  // of the fitness over `items` (ascending). REQUIRES: has_predictions(). Errors: kStopped when
  // asked to stop.
  bool has_predictions();
  Status predict(std::span<const std::size_t> items, SearchState& state, ChangeSink& sink);
  // Collective. The `count` candidates that promise most by first order on top of the state, best
  // first. Without a transformer also by exact scores of a sample that is drawn anew each round, if
  // SearchOptions::candidates asks for it or nothing predicts. What takes accepted flips back is
  // among the candidates (bfs/candidate_sets.h).
  Result<std::vector<Proposal>> propose(std::size_t count, SearchState& state);
  // What one more flip of a kind costs: bytes under a byte budget, otherwise 1.
  ByFlipKind flip_prices(const SearchState& state) const;
  // Whether the candidate may be flipped on top of the state entered last (bfs/single_weights.h).
  bool is_legal(CandidateId id) const;

  // Collective. Exact fitness of the state with each candidate flipped, in the order of `ids`,
  // which must ascend. Candidates with a fitness of at most `threshold` are given up as early as
  // that is certain, and get the fitness -infinity; they count as work all the same.
  // Errors: kStopped when asked to stop.
  Result<std::vector<ScoredCandidate>> score(std::span<const CandidateId> ids, SearchState& state,
                                             std::optional<double> threshold = std::nullopt);
  // Collective. The same by these items (ascending) alone: what they say about the state's fitness
  // with the candidate flipped. Without checkpoints in between.
  Result<std::vector<ScoredCandidate>> estimate(std::span<const CandidateId> ids,
                                                std::span<const std::size_t> items,
                                                SearchState& state);
  // How many of `count` candidates to score between two checkpoints: at most about a minute of
  // work. Results do not depend on it.
  std::size_t candidates_per_chunk(std::size_t count) const;
  // Collective. Exact fitness of each of several sets in place of the accepted one. REQUIRES: none
  // is the accepted one.
  Result<std::vector<Fitness>> score_sets(std::span<const std::vector<CandidateId>> sets,
                                          SearchState& state);

  // Collective. Item scores (patches, items) of the unpatched model with flips instead of the
  // entered state's, which differ from those only in flips that enter at `from` or above. Each is
  // made by `patch` when its turn comes, so that a rank holds one of them. REQUIRES: those of
  // `from` are half-layers of the searched tensors. Errors: kStopped when asked to stop.
  Result<std::vector<double>> score_patches(
      std::span<const HalfLayer> from,
      const std::function<std::vector<patch::Flip>(std::size_t)>& patch, SearchState& state);

  // Collective. Item scores (items) of the state with one candidate flipped, evaluated by every
  // rank (or group); those of items outside of `items`, ascending, are meaningless.
  std::vector<double> score_alone(CandidateId id, std::span<const std::size_t> items);
  // Collective. Item scores (items) of the unpatched model with these flips, evaluated by every
  // rank (or group).
  std::vector<double> score_patch(std::span<const patch::Flip> flips);

  // Collective. Whether a round may go from the entered state to these flips: by --pareto, no
  // target set may lose; by min_effect, the mean gain of the targets must stand out from their
  // spread. Costs a pass over all items where one of these is asked for.
  bool is_acceptable(std::span<const CandidateId> ids, SearchState& state);

  Fitness fitness_of(std::span<const double> item_scores) const;
  // Mean gain of each target file (bfs/pareto_front.h).
  std::vector<double> set_gains(std::span<const double> item_scores) const;
  std::vector<patch::Flip> flips(std::span<const CandidateId> ids) const;
  // Their patch, named as the options say, not bound to a base. An error only for flips outside the
  // model.
  Result<patch::Patch> make_patch(std::span<const CandidateId> ids) const;
  // Encoded size of the patch of these candidates, bound to its base unless it is to be bare.
  std::size_t patch_bytes(std::span<const CandidateId> ids) const;
  bool within_budget(std::span<const CandidateId> ids) const;

 private:
  SearchContext(SearchModel& model, mpi::Communicator& comm, const SearchOptions& options,
                const SearchData& data, SearchHooks hooks);
  // Rivals are those of the unpatched model with these flips.
  Status build_objective(std::span<const patch::Flip> flips);
  Status share_data();
  // Those whose half-layers keep activations for exact evaluation.
  std::span<const TensorAddress> kept_tensors() const;
  void make_evaluator();
  // Collective. At the state entered last.
  GroupEvaluator& evaluator_at_state();
  std::size_t candidates_per_batch() const;
  // Multiply-adds of a full pass, at least 1: what one candidate costs at most.
  std::uint64_t candidate_work() const;

  Result<std::vector<Proposal>> propose_by_sample(std::size_t count, SearchState& state);

  std::unique_ptr<SearchModel> own_model_;  // where the caller has a transformer
  SearchModel& model_;
  mpi::Communicator& communicator_;
  SearchOptions options_;
  const SearchData& data_;
  SearchHooks hooks_;
  CandidateSpace space_;
  Objective objective_;
  std::optional<mpi::RankGroups> groups_;  // where ranks share the data
  std::unique_ptr<GroupEvaluator> evaluator_;
  std::unique_ptr<Sensitivity> sensitivity_;  // made when first asked for,
  std::unique_ptr<Predictor> predictor_;      // or, without a transformer, this
  patch::ShapeTable shapes_;                  // of the searched tensors
  std::optional<std::vector<CandidateId>> entered_;
  bool evaluator_is_behind_ = false;  // at another state than the entered one
  // The sets of the last score_sets(), and their item scores (sets, items).
  std::vector<std::vector<CandidateId>> scored_sets_;
  std::vector<double> scores_of_sets_;
  model::RowOverlay entered_overlay_;
  std::vector<double> base_scores_;
  std::vector<double> state_scores_;
};

}  // namespace bankai::bfs
