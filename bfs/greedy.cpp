// The greedy strategy: candidates proposed by first order, verified exactly, accepted together.
#include <algorithm>

#include "bfs/acceptance.h"
#include "bfs/item_sample.h"
#include "bfs/strategy.h"

namespace bankai::bfs {
namespace {

class Greedy final : public Strategy {
 public:
  Status run_round(SearchContext& context, SearchState& state) override {
    // A round that goes on after a stop proposes again: the work counts once, at the end.
    const std::uint64_t work_before = state.work;
    BANKAI_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals,
                            context.propose(context.options().shortlist, state));
    const std::uint64_t work_of_proposals = state.work - work_before;
    state.work = work_before;
    std::vector<CandidateId> ids;
    for (const Proposal& proposal : proposals) ids.push_back(proposal.id);
    std::sort(ids.begin(), ids.end());
    const bool by_sample = context.options().verify_fraction < 1.0;
    BANKAI_RETURN_IF_ERROR(by_sample ? estimate(context, ids, state) : verify(context, ids, state));
    const std::vector<CandidateId> ranked = rank_improving(context, state);
    BANKAI_ASSIGN_OR_RETURN(
        const bool accepted,
        accept_best_set(context, ranked, state,
                        by_sample ? TrialOrder::kFromTheLargest : TrialOrder::kAllAtOnce));
    state.work += work_of_proposals;
    state.ranking = std::move(state.scored);
    state.scored.clear();
    state.finished = !accepted;
    return {};
  }

 private:
  static Status verify(SearchContext& context, std::span<const CandidateId> ids,
                       SearchState& state) {
    const bool wants_all = state.round == 0 && context.options().all_scores;
    return score_in_chunks(
        context, ids, state,
        wants_all ? std::nullopt : std::optional(useless_fitness(context, state)));
  }

  // By a part of the items, which is enough to see who breaks the model and who does nothing.
  static Status estimate(SearchContext& context, std::span<const CandidateId> ids,
                         SearchState& state) {
    if (!state.scored.empty()) return {};  // before a stop
    const SearchOptions& options = context.options();
    const std::vector<std::size_t> items =
        sample_both(context.objective(), options.verify_fraction, options.seed, state.round);
    BANKAI_ASSIGN_OR_RETURN(state.scored, context.estimate(ids, items, state));
    return {};
  }
};

}  // namespace

std::unique_ptr<Strategy> make_greedy() { return std::make_unique<Greedy>(); }

}  // namespace bankai::bfs
