#include "bfs/search.h"

#include "bfs/candidate_sets.h"
#include "bfs/strategy.h"

namespace bankai::bfs {
namespace {

// Notes how the accepted flips do on held-out data; true when patience has run out.
bool check_held_out(SearchContext& context, HeldOut& held_out, SearchState& state) {
  const double gain = held_out.gain(context.flips(state.accepted));
  state.held_out_gain = gain;
  if (gain > state.best_held_out) {
    state.best_held_out = gain;
    state.best_accepted = state.accepted;
    state.rounds_without_gain = 0;
    return false;
  }
  ++state.rounds_without_gain;
  return context.options().patience > 0 && state.rounds_without_gain >= context.options().patience;
}

// The accepted flips, which the context has entered, as a point of the front.
void note_on_front(SearchContext& context, SearchState& state) {
  if (state.accepted.empty()) return;
  add_to_front(state.front,
               {state.round, state.accepted.size(), context.patch_bytes(state.accepted),
                context.set_gains(context.state_scores())});
}

// Rivals are found again for a new state (margin), and then it may be worth less than the one
// before the round. Takes back the later half of what the round flipped until it is worth more.
Status settle_rivals(SearchContext& context, const SearchState& before, SearchState& state) {
  std::vector<CandidateId> flipped =
      changes_between(context.space(), before.accepted, state.accepted);
  BANKAI_RETURN_IF_ERROR(context.enter_state(state));
  while (!flipped.empty() && !(state.fitness.fitness > before.fitness.fitness)) {
    flipped.resize(flipped.size() / 2);
    state.accepted = toggled(context.space(), before.accepted, flipped);
    BANKAI_RETURN_IF_ERROR(context.enter_state(state));
    state.work += context.full_cost();
  }
  state.finished = state.finished || flipped.empty();
  return {};
}

// The other strategies go on within a full budget: they also exchange flips.
bool ends_with_full_budget(const SearchContext& context, const SearchState& state) {
  const SearchOptions& options = context.options();
  return options.strategy == StrategyKind::kHillClimb && options.budget_flips > 0 &&
         state.accepted.size() >= options.budget_flips;
}

}  // namespace

Status run_search(SearchContext& context, HeldOut* held_out, SearchState& state) {
  const SearchOptions& options = context.options();
  const bool uses_patience = held_out != nullptr && options.patience > 0;
  // The baseline accepts one flip at a time; a forward pass over held-out data for each is worth it
  // only when it decides something.
  const bool watches_held_out =
      held_out != nullptr && (uses_patience || options.strategy != StrategyKind::kHillClimb);
  const std::unique_ptr<Strategy> strategy = make_strategy(context, state);
  if (state.work == 0) state.work = context.full_cost();
  while (!state.finished) {
    BANKAI_RETURN_IF_ERROR(context.enter_state(state));
    note_on_front(context, state);
    if (state.round >= options.iterations || ends_with_full_budget(context, state)) {
      state.finished = true;
      break;
    }
    const std::int64_t stop = context.hooks().should_stop() ? 1 : 0;
    if (context.communicator().all_reduce(stop, mpi::ReduceOp::kMax) != 0)
      return Error{ErrorCode::kStopped, "stopped"};
    const SearchState before = state;
    BANKAI_RETURN_IF_ERROR(strategy->run_round(context, state));
    if (context.has_rivals() && state.accepted != before.accepted)
      BANKAI_RETURN_IF_ERROR(settle_rivals(context, before, state));
    ++state.round;
    if (state.accepted != before.accepted) {
      state.work += context.full_cost();
      if (watches_held_out && check_held_out(context, *held_out, state)) state.finished = true;
    }
    context.hooks().on_round(state);
    context.hooks().on_checkpoint(state);
  }
  if (uses_patience) state.accepted = state.best_accepted;
  BANKAI_RETURN_IF_ERROR(context.enter_state(state));
  note_on_front(context, state);
  return {};
}

}  // namespace bankai::bfs
