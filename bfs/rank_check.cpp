#include "bfs/rank_check.h"

#include <algorithm>
#include <numeric>

#include "bfs/candidate_sample.h"
#include "bfs/item_blocks.h"
#include "bfs/item_sample.h"
#include "bfs/single_weights.h"
#include "core/clock.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

// `sample` candidates of a kind, spread over all tensors.
std::vector<CandidateId> sample_kind(const CandidateSpace& space, patch::FlipKind kind,
                                     std::uint64_t sample, std::uint64_t seed) {
  std::vector<std::uint64_t> first = {0};  // of each tensor among the candidates of the kind
  for (std::size_t tensor = 0; tensor < space.tensors().size(); ++tensor)
    first.push_back(first.back() + space.count(tensor, kind));
  std::vector<CandidateId> ids = sample_candidates(0, first.back(), sample, seed);
  for (CandidateId& id : ids) {
    const auto next = std::upper_bound(first.begin(), first.end(), id);
    const auto tensor = static_cast<std::size_t>(next - first.begin()) - 1;
    id = space.first(tensor, kind) + (id - first[tensor]);
  }
  return ids;
}

// Of the unpatched model.
std::uint64_t count_kind(const SearchContext& context, patch::FlipKind kind) {
  const CandidateSpace& space = context.space();
  std::uint64_t count = 0;
  for (std::size_t tensor = 0; tensor < space.tensors().size(); ++tensor) {
    const std::uint64_t all = space.count(tensor, kind);
    if (all == 0 || !patch::is_step(kind)) {
      count += all;
      continue;
    }
    for (std::uint64_t row = 0; row < all / space.count_per_row(tensor, kind); ++row) {
      const auto legal = legal_steps(context.model(), {}, space.tensors()[tensor], row, kind);
      count += std::accumulate(legal.begin(), legal.end(), std::uint64_t{0});
    }
  }
  return count;
}

// All items' tokens through all layers, and the logits that items look at; nothing is shared.
void run_forward(model::Transformer& transformer, const Objective& objective) {
  model::Scorer scorer(transformer);
  const std::size_t width = transformer.model().parameters().embedding;
  std::vector<float> x, scored;
  const std::vector<std::size_t> items = all_items(objective);
  for (const ItemBlock& block :
       make_item_blocks(objective, items, item_slices(objective, items), kSliceTokens)) {
    x.resize(block.tokens.size() * width);
    transformer.embed(block.tokens, {}, x.data());
    transformer.run_layers(0, transformer.model().parameters().num_layers, block.segments, {},
                           x.data());
    scored.clear();
    for (const ItemBlock::ScoredRow& row : block.scored)
      scored.insert(scored.end(), x.begin() + static_cast<std::ptrdiff_t>(row.row * width),
                    x.begin() + static_cast<std::ptrdiff_t>((row.row + 1) * width));
    scorer.visit_logits(scored.data(), block.scored.size(), {},
                        [](std::size_t, std::span<const float>) {});
  }
}

}  // namespace

Result<RankCheck> check_ranking(SearchContext& context, std::uint64_t sample, std::uint64_t seed) {
  RankCheck check;
  SearchState state;
  std::vector<CandidateId> ids;
  BANKAI_RETURN_IF_ERROR(context.enter_state(state));
  for (const patch::FlipKind kind : kFlipKinds) {
    const std::uint64_t count = count_kind(context, kind);
    if (count == 0) continue;
    check.kinds.push_back({kind, count, {}, 0.0});
    for (const CandidateId id : sample_kind(context.space(), kind, sample, seed))
      if (context.is_legal(id)) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  Stopwatch forward;
  if (context.search_model().transformer() != nullptr)
    run_forward(context.transformer(), context.objective());
  else
    context.search_model().run_forward(context.objective());
  check.forward_seconds = forward.seconds();
  ChosenChanges chosen(std::move(ids), context.options().control_penalty);
  Stopwatch ranking;
  BANKAI_RETURN_IF_ERROR(context.predict(all_items(context.objective()), state, chosen));
  check.ranking_seconds = ranking.seconds();
  for (RankCheck::Kind& kind : check.kinds) {
    std::vector<CandidateId> some;
    std::vector<double> predicted, exact;
    for (std::size_t i = 0; i < chosen.ids().size(); ++i) {
      if (context.space().flip(chosen.ids()[i]).kind != kind.kind) continue;
      some.push_back(chosen.ids()[i]);
      predicted.push_back(chosen.gains()[i]);
    }
    Stopwatch clock;
    BANKAI_ASSIGN_OR_RETURN(const std::vector<ScoredCandidate> scored, context.score(some, state));
    kind.exact_seconds = clock.seconds();
    for (const ScoredCandidate& candidate : scored)
      exact.push_back(candidate.fitness.fitness - state.fitness.fitness);
    kind.agreement = compare_rankings(predicted, exact);
  }
  return check;
}

}  // namespace bankai::bfs
