#include "bfs/acceptance.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bfs/fitness.h"
#include "bfs/item_sample.h"
#include "mpi/self_communicator.h"
#include "tests/bfs/search_rig.h"

namespace bankai::bfs {
namespace {

// A context over the rows of gate and up of the last layer: candidates 0 … 767 and 768 … 1535.
constexpr CandidateId kUpRows = 768;

struct ContextRig {
  explicit ContextRig(const SearchOptions& further = {})
      : search(search_case("greedy")), transformer(make_transformer(demo_model())) {
    search.options.budget_flips = further.budget_flips;
    search.options.budget_bytes = further.budget_bytes;
    search.options.min_gain = further.min_gain;
    search.options.flip_penalty = further.flip_penalty;
    search.options.min_effect = further.min_effect;
    context = std::move(SearchContext::create(transformer, comm, search.options, search.data, {}))
                  .value();
    EXPECT_TRUE(context->enter_state(state).ok());
  }
  double fitness_with(std::vector<CandidateId> ids) {
    SearchState scratch;
    const std::vector<std::vector<CandidateId>> sets = {std::move(ids)};
    return context->score_sets(sets, scratch).value()[0].fitness;
  }
  // Improving candidates, best first.
  std::vector<CandidateId> ranked() {
    std::vector<CandidateId> ids(200);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = 7 * i;
    SearchState scored = state;
    scored.scored = context->score(ids, state).value();
    return rank_improving(*context, scored);
  }

  // The candidate that does most harm.
  CandidateId worst() {
    std::vector<CandidateId> ids(100);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = 7 * i;
    const auto scored = context->score(ids, state).value();
    return std::min_element(scored.begin(), scored.end(),
                            [](const ScoredCandidate& a, const ScoredCandidate& b) {
                              return a.fitness.fitness < b.fitness.fitness;
                            })
        ->id;
  }

  SearchCase search;
  mpi::SelfCommunicator comm;
  model::Transformer transformer;
  std::unique_ptr<SearchContext> context;
  SearchState state;
};

ScoredCandidate scored(CandidateId id, double fitness) { return {id, {fitness, fitness, 0.0}}; }

SearchState state_of(std::vector<ScoredCandidate> scored, double fitness) {
  SearchState state;
  state.scored = std::move(scored);
  state.fitness.fitness = fitness;
  return state;
}

TEST(RankImproving, sorts_by_fitness_then_by_number_and_leaves_out_the_rest) {
  const ContextRig rig;
  const std::vector<ScoredCandidate> list = {scored(3, 0.5), scored(4, 0.1),  scored(5, 0.9),
                                             scored(2, 0.5), scored(6, -1.0), scored(7, 0.2)};
  EXPECT_EQ(rank_improving(*rig.context, state_of(list, 0.1)),
            (std::vector<CandidateId>{5, 2, 3, 7}));
  EXPECT_TRUE(rank_improving(*rig.context, state_of(list, 0.9)).empty());
  EXPECT_TRUE(rank_improving(*rig.context, {}).empty());
}

TEST(RankImproving, wants_the_penalty_of_a_new_flip_and_grants_it_to_one_that_is_taken_back) {
  SearchOptions options;
  options.flip_penalty = 0.2;
  const ContextRig rig(options);
  SearchState state =
      state_of({scored(3, 0.65), scored(4, 0.75), scored(5, 0.35), scored(6, 0.25)}, 0.5);
  state.accepted = {5, 6};
  EXPECT_EQ(rank_improving(*rig.context, state), (std::vector<CandidateId>{4, 5}));
}

// Above the threshold for early rejection lies everything that can be ranked, to the last bit.
TEST(RankImproving, takes_nothing_below_the_useless_fitness) {
  SearchOptions options;
  for (const double penalty : {0.0, 0.1, 0.2, 1e-17, 3e9}) {
    options.flip_penalty = penalty;
    const ContextRig rig(options);
    for (const double fitness : {0.0, 0.1, 0.3, 1.0 / 3.0, -0.7, 1e-9, 12345.6789}) {
      SearchState state = state_of({}, fitness);
      state.accepted = {3};  // taken back; 4 is new
      const double useless = useless_fitness(*rig.context, state);
      EXPECT_LT(useless, fitness);
      state.scored = {scored(3, useless), scored(4, useless)};
      EXPECT_TRUE(rank_improving(*rig.context, state).empty()) << penalty << " " << fitness;
    }
  }
}

TEST(RankImproving, takes_one_flip_of_a_hidden_unit) {
  const ContextRig rig;
  // Gate row 10 and up row 10 act on the same unit; gate row 11 and up row 10 do not.
  const std::vector<ScoredCandidate> list = {scored(10, 0.4), scored(kUpRows + 10, 0.6),
                                             scored(11, 0.3)};
  EXPECT_EQ(rank_improving(*rig.context, state_of(list, 0.0)),
            (std::vector<CandidateId>{kUpRows + 10, 11}));
}

TEST(Estimate, by_all_items_is_the_score_and_by_some_theirs) {
  ContextRig rig;
  rig.state.accepted = {14};
  ASSERT_TRUE(rig.context->enter_state(rig.state).ok());
  const std::vector<CandidateId> ids = {0, 7, 70, kUpRows + 7};
  const Objective& objective = rig.context->objective();
  const auto exact = rig.context->score(ids, rig.state).value();
  const auto same = rig.context->estimate(ids, all_items(objective), rig.state).value();
  const std::vector<std::size_t> some = {1, 3};  // a target and a control
  ASSERT_FALSE(objective.items[1].is_control);
  ASSERT_TRUE(objective.items[3].is_control);
  SearchState counted = rig.state;
  const auto partly = rig.context->estimate(ids, some, counted).value();
  EXPECT_LT(counted.work - rig.state.work, 4 * rig.context->full_cost() / 2);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(same[i].id, ids[i]);
    EXPECT_NEAR(same[i].fitness.fitness, exact[i].fitness.fitness, 1e-12);
    const std::vector<double> scores = rig.context->score_alone(ids[i], all_items(objective));
    const auto& base = rig.context->base_scores();
    const auto& state = rig.context->state_scores();
    const double gain = scores[1] - state[1];
    const double loss = std::max(0.0, base[3] - scores[3]) - std::max(0.0, base[3] - state[3]);
    EXPECT_NEAR(partly[i].fitness.fitness, rig.state.fitness.fitness + gain - 2.0 * loss, 1e-12);
  }
}

TEST(AcceptBestSet, keeps_the_best_number_of_candidates) {
  ContextRig rig;
  const std::vector<CandidateId> ranked = rig.ranked();
  ASSERT_GT(ranked.size(), 8U);
  double best = 0.0;
  std::size_t best_size = 0;
  for (std::size_t size = 1; size <= ranked.size(); ++size) {
    const bool is_tried = size == ranked.size() || size == 3 || (size & (size - 1)) == 0 ||
                          (size % 3 == 0 && (size / 3 & (size / 3 - 1)) == 0);
    if (!is_tried) continue;
    const double fitness =
        rig.fitness_with({ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(size)});
    if (fitness > best) {
      best = fitness;
      best_size = size;
    }
  }
  const Result<bool> accepted = accept_best_set(*rig.context, ranked, rig.state);
  ASSERT_TRUE(accepted.ok());
  EXPECT_TRUE(*accepted);
  EXPECT_EQ(rig.state.accepted,
            std::vector<CandidateId>(ranked.begin(),
                                     ranked.begin() + static_cast<std::ptrdiff_t>(best_size)));
  EXPECT_EQ(rig.state.fitness.fitness, best);
}

// From 12 and 8 down in pairs, for as long as the smallest number tried is the best, or none helps.
TEST(AcceptBestSet, from_the_largest_stops_where_fewer_are_not_better) {
  ContextRig rig;
  std::vector<CandidateId> good = rig.ranked();
  ASSERT_GT(good.size(), 12U);
  good.resize(12);
  std::vector<CandidateId> spoilt = good;
  spoilt[5] = rig.worst();
  for (const std::vector<CandidateId>& list : {good, spoilt}) {
    std::vector<std::size_t> sizes = {1, 2, 3, 4, 6, 8, 12};
    double best = -1e9;
    std::size_t best_size = 0;
    for (bool goes_on = true; goes_on && !sizes.empty();) {
      double smallest = 0.0;
      for (int i = 0; i < 2 && !sizes.empty(); ++i, sizes.pop_back()) {
        const auto end = list.begin() + static_cast<std::ptrdiff_t>(sizes.back());
        smallest = rig.fitness_with({list.begin(), end});
        if (smallest < best) continue;
        best = smallest;
        best_size = sizes.back();
      }
      goes_on = best <= 0.0 || smallest == best;
    }
    SearchState all = rig.state, some = rig.state;
    EXPECT_TRUE(accept_best_set(*rig.context, list, all).value());
    EXPECT_TRUE(accept_best_set(*rig.context, list, some, TrialOrder::kFromTheLargest).value());
    EXPECT_EQ(some.accepted.size(), best_size);
    EXPECT_EQ(some.fitness.fitness, best);
    EXPECT_EQ(some.work < all.work, !sizes.empty());
  }
}

// Sets that are not acceptable do not end the search for one that is.
TEST(AcceptBestSet, from_the_largest_goes_on_below_what_is_refused) {
  ContextRig rig;
  std::vector<CandidateId> list = rig.ranked();
  ASSERT_GT(list.size(), 12U);
  list.resize(12);
  const auto effect_of = [&](std::size_t size) {
    std::vector<patch::Flip> flips = rig.context->flips(std::span(list).first(size));
    return target_effect(rig.context->objective(), rig.context->state_scores(),
                         rig.context->score_patch(flips));
  };
  SearchOptions options;
  for (std::size_t turn = 0; turn < list.size() && options.min_effect == 0.0; ++turn) {
    std::rotate(list.begin(), list.begin() + 1, list.end());
    const double few = std::max({effect_of(1), effect_of(2), effect_of(3), effect_of(4)});
    const double many = std::max({effect_of(6), effect_of(8), effect_of(12)});
    if (few > 1.02 * many) options.min_effect = 0.5 * (few + many);
  }
  ASSERT_GT(options.min_effect, 0.0) << "no list of which the largest sets are refused";
  ContextRig demanding(options);
  SearchState all = demanding.state, some = demanding.state;
  ASSERT_TRUE(accept_best_set(*demanding.context, list, all).value());
  EXPECT_TRUE(accept_best_set(*demanding.context, list, some, TrialOrder::kFromTheLargest).value());
  EXPECT_LE(some.accepted.size(), 4U);
}

TEST(AcceptBestSet, adds_to_what_is_accepted) {
  ContextRig rig;
  const std::vector<CandidateId> ranked = rig.ranked();
  rig.state.accepted = {ranked[1]};
  ASSERT_TRUE(rig.context->enter_state(rig.state).ok());
  const double before = rig.state.fitness.fitness;
  const std::vector<CandidateId> further = {ranked[0]};
  const Result<bool> accepted = accept_best_set(*rig.context, further, rig.state);
  ASSERT_TRUE(accepted.ok());
  if (*accepted) {
    EXPECT_EQ(rig.state.accepted, (std::vector<CandidateId>{ranked[1], ranked[0]}));
    EXPECT_GT(rig.state.fitness.fitness, before);
  } else {
    EXPECT_EQ(rig.state.accepted, std::vector<CandidateId>{ranked[1]});
  }
}

TEST(AcceptBestSet, stays_within_the_budgets) {
  const std::vector<CandidateId> ranked = ContextRig().ranked();
  for (std::size_t flips = 1; flips <= 5; ++flips) {
    SearchOptions options;
    options.budget_flips = flips;
    ContextRig rig(options);
    ASSERT_TRUE(accept_best_set(*rig.context, ranked, rig.state).ok());
    EXPECT_LE(rig.state.accepted.size(), flips);
    EXPECT_GE(rig.state.accepted.size(), 1U);
  }
  const ContextRig measure;
  for (std::size_t count = 1; count <= 8; ++count) {
    SearchOptions options;
    options.budget_bytes = measure.context->patch_bytes(std::span(ranked).first(count));
    ContextRig rig(options);
    ASSERT_TRUE(accept_best_set(*rig.context, ranked, rig.state).ok());
    EXPECT_FALSE(rig.state.accepted.empty());
    EXPECT_LE(rig.context->patch_bytes(rig.state.accepted), options.budget_bytes);
  }
}

TEST(AcceptBestSet, exchanges_the_least_useful_flips_of_a_full_budget) {
  const std::vector<CandidateId> best = ContextRig().ranked();
  SearchOptions options;
  options.budget_flips = 4;
  ContextRig rig(options);
  const CandidateId bad = rig.worst();
  const CandidateId weak = best.back();
  rig.state.accepted = {weak, best[0], bad, best[1]};
  ASSERT_TRUE(rig.context->enter_state(rig.state).ok());
  const double without_bad = rig.fitness_with({weak, best[0], best[1]});
  const double without_weak = rig.fitness_with({best[0], bad, best[1]});
  ASSERT_GT(without_bad, without_weak);  // so the bad one goes first
  const std::vector<CandidateId> one = {weak, best[0], best[1], best[2]};
  const std::vector<CandidateId> two = {best[0], best[1], best[2], best[3]};
  const double expected = std::max(rig.fitness_with(one), rig.fitness_with(two));
  EXPECT_TRUE(accept_best_set(*rig.context, std::vector{best[2], best[3]}, rig.state).value());
  EXPECT_EQ(rig.state.accepted, expected == rig.fitness_with(one) ? one : two);
  EXPECT_EQ(rig.state.fitness.fitness, expected);

  // The same where the best is tried from the largest exchange down.
  ContextRig down(options);
  down.state.accepted = {weak, best[0], bad, best[1]};
  ASSERT_TRUE(down.context->enter_state(down.state).ok());
  EXPECT_TRUE(accept_best_set(*down.context, std::vector{best[2], best[3]}, down.state,
                              TrialOrder::kFromTheLargest)
                  .value());
  EXPECT_EQ(down.state.accepted, rig.state.accepted);
}

TEST(AcceptBestSet, exchanges_nothing_for_what_is_worse) {
  const std::vector<CandidateId> best = ContextRig().ranked();
  SearchOptions options;
  options.budget_flips = 2;
  ContextRig rig(options);
  rig.state.accepted = {best[1], best[0]};
  ASSERT_TRUE(rig.context->enter_state(rig.state).ok());
  const SearchState before = rig.state;
  EXPECT_FALSE(accept_best_set(*rig.context, std::vector{rig.worst()}, rig.state).value());
  EXPECT_EQ(rig.state.accepted, before.accepted);
  EXPECT_EQ(rig.state.fitness.fitness, before.fitness.fitness);
  EXPECT_GT(rig.state.work, before.work);  // what it tried
}

TEST(AcceptBestSet, takes_back_what_is_accepted_already) {
  ContextRig rig;
  const CandidateId bad = rig.worst();
  rig.state.accepted = {bad};
  ASSERT_TRUE(rig.context->enter_state(rig.state).ok());
  ASSERT_LT(rig.state.fitness.fitness, 0.0);
  EXPECT_TRUE(accept_best_set(*rig.context, std::vector{bad}, rig.state).value());
  EXPECT_TRUE(rig.state.accepted.empty());
  EXPECT_EQ(rig.state.fitness.fitness, 0.0);
}

class AcceptBestSetTooLittle : public ::testing::TestWithParam<SearchOptions> {};

TEST_P(AcceptBestSetTooLittle, accepts_nothing) {
  ContextRig rig(GetParam());
  const Result<bool> accepted = accept_best_set(*rig.context, rig.ranked(), rig.state);
  ASSERT_TRUE(accepted.ok());
  EXPECT_FALSE(*accepted);
  EXPECT_TRUE(rig.state.accepted.empty());
  EXPECT_FALSE(*accept_best_set(*rig.context, {}, rig.state));
}

std::vector<SearchOptions> demanding_options() {
  std::vector<SearchOptions> options(3);
  options[0].min_gain = 1e6;
  options[1].flip_penalty = 1e6;
  options[2].min_effect = 1e6;
  return options;
}
INSTANTIATE_TEST_SUITE_P(, AcceptBestSetTooLittle, ::testing::ValuesIn(demanding_options()));

}  // namespace
}  // namespace bankai::bfs
