// The greedy strategy: candidates proposed by first order, verified exactly, accepted together.
#include <algorithm>

#include "bfs/acceptance.h"
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
    const bool wants_all = state.round == 0 && context.options().all_scores;
    BANKAI_RETURN_IF_ERROR(
        score_in_chunks(context, ids, state,
                        wants_all ? std::nullopt : std::optional(useless_fitness(context, state))));
    const std::vector<CandidateId> ranked = rank_improving(context, state);
    BANKAI_ASSIGN_OR_RETURN(const bool accepted, accept_best_prefix(context, ranked, state));
    state.work += work_of_proposals;
    state.ranking = std::move(state.scored);
    state.scored.clear();
    state.finished = !accepted;
    return {};
  }
};

}  // namespace

std::unique_ptr<Strategy> make_greedy() { return std::make_unique<Greedy>(); }

}  // namespace bankai::bfs
