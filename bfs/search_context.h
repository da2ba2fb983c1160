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

#include "bfs/evaluator.h"
#include "bfs/search_options.h"
#include "bfs/search_state.h"
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
  // References must outlive the context. Errors: kBadInput for probes that the metric cannot use.
  static Result<std::unique_ptr<SearchContext>> create(model::Transformer& transformer,
                                                       mpi::Communicator& comm,
                                                       const SearchOptions& options,
                                                       const SearchData& data, SearchHooks hooks);

  const SearchOptions& options() const { return options_; }
  const SearchHooks& hooks() const { return hooks_; }
  const model::Model& model() const { return transformer_.model(); }
  const CandidateSpace& space() const { return space_; }
  const Objective& objective() const { return objective_; }
  Evaluator& evaluator() { return *evaluator_; }
  mpi::Communicator& communicator() { return communicator_; }

  // Makes the accepted flips the state that candidates are scored from; refreshes rivals (margin)
  // and `state.fitness`. Cheap if they are entered already.
  Status enter_state(SearchState& state);
  // Item scores (items) of the state entered last.
  std::span<const double> state_scores() const { return state_scores_; }

  // Collective. Exact fitness of the state with each candidate flipped, in the order of `ids`,
  // which must ascend. Errors: kStopped when asked to stop.
  Result<std::vector<ScoredCandidate>> score(std::span<const CandidateId> ids, SearchState& state);
  // How many of `count` candidates to score between two checkpoints: at most about a minute of
  // work. Results do not depend on it.
  std::size_t candidates_per_chunk(std::size_t count) const;
  // Collective. Exact fitness of the state with each of several sets of candidates flipped.
  Result<std::vector<Fitness>> score_sets(std::span<const std::vector<CandidateId>> sets,
                                          SearchState& state);

  Fitness fitness_of(std::span<const double> item_scores) const;
  std::vector<patch::Flip> flips(std::span<const CandidateId> ids) const;
  // Their patch, named as the options say, not bound to a base. An error only for flips outside the
  // model.
  Result<patch::Patch> make_patch(std::span<const CandidateId> ids) const;
  // Encoded size of the patch of these candidates, bound to a base.
  std::size_t patch_bytes(std::span<const CandidateId> ids) const;
  bool within_budget(std::span<const CandidateId> ids) const;

 private:
  SearchContext(model::Transformer& transformer, mpi::Communicator& comm,
                const SearchOptions& options, const SearchData& data, SearchHooks hooks);
  Status build_objective(const model::RowOverlay& overlay);
  // Multiply-adds of a full pass, at least 1: what one candidate costs at most.
  std::uint64_t candidate_work() const;

  model::Transformer& transformer_;
  mpi::Communicator& communicator_;
  SearchOptions options_;
  const SearchData& data_;
  SearchHooks hooks_;
  CandidateSpace space_;
  Objective objective_;
  std::unique_ptr<Evaluator> evaluator_;
  patch::ShapeTable shapes_;  // of the searched tensors
  std::optional<std::vector<CandidateId>> entered_;
  std::vector<double> state_scores_;
};

}  // namespace bankai::bfs
