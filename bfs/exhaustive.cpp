// The exhaustive strategy: the exact change of every candidate that may be taken, then the best
// ones together.
#include "bfs/acceptance.h"
#include "bfs/candidate_sample.h"
#include "bfs/strategy.h"

namespace bankai::bfs {
namespace {

class Exhaustive final : public Strategy {
 public:
  Status run_round(SearchContext& context, SearchState& state) override {
    const SearchOptions& options = context.options();
    const CandidateId size = context.space().size();
    std::vector<CandidateId> ids = sample_candidates(
        0, size, options.candidates > 0 ? options.candidates : size, options.seed);
    std::erase_if(ids, [&](CandidateId id) { return !context.is_legal(id); });
    BANKAI_RETURN_IF_ERROR(score_in_chunks(context, ids, state));
    const std::vector<CandidateId> ranked = rank_improving(context, state);
    BANKAI_ASSIGN_OR_RETURN(const bool accepted, accept_best_set(context, ranked, state));
    state.ranking = std::move(state.scored);
    state.scored.clear();
    state.finished = !accepted;
    return {};
  }
};

}  // namespace

std::unique_ptr<Strategy> make_exhaustive() { return std::make_unique<Exhaustive>(); }

}  // namespace bankai::bfs
