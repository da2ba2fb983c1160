// The evolutionary strategy as a search; its operators are tested in genome_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "mpi/self_communicator.h"
#include "tests/bfs/search_rig.h"

namespace bankai::bfs {
namespace {

struct ContextRig {
  explicit ContextRig(const SearchCase& search)
      : transformer(make_transformer(demo_model())),
        context(std::move(SearchContext::create(transformer, comm, search.options, search.data, {}))
                    .value()) {}

  // By a full forward pass.
  Fitness fitness_of(const std::vector<CandidateId>& ids) {
    return context->fitness_of(context->score_patch(context->flips(ids)));
  }

  mpi::SelfCommunicator comm;
  model::Transformer transformer;
  std::unique_ptr<SearchContext> context;
};

// Attention as well: within a layer its matrices are numbered after those above them.
SearchCase both_halves() {
  SearchCase search = evolve_case();
  search.options.tensors = layer_tensors(
      {4, 5}, {Projection::kGate, Projection::kDown, Projection::kQuery, Projection::kValue});
  search.options.granularity = Granularity::kMixed;
  search.options.iterations = 5;
  return search;
}

TEST(Evolve, improves_with_every_generation_and_says_so_exactly) {
  for (const SearchCase& search : {evolve_case(), both_halves()}) {
    const SearchOutcome outcome = run_case(search);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    EXPECT_FALSE(outcome.state.accepted.empty());
    EXPECT_TRUE(outcome.state.finished);
    ContextRig rig(search);
    double before = 0.0;
    for (const SearchState& state : outcome.rounds) {
      EXPECT_GE(state.fitness.fitness, before) << "the best patch is never lost";
      before = state.fitness.fitness;
      EXPECT_EQ(state.fitness.fitness, rig.fitness_of(state.accepted).fitness);
    }
    EXPECT_GT(before, outcome.rounds.front().fitness.fitness) << "bred, not only founded";
  }
}

TEST(Evolve, a_generation_has_no_two_alike_and_scores_that_can_be_recomputed) {
  const SearchCase search = both_halves();
  ContextRig rig(search);
  for (const SearchState& state : run_case(search).rounds) {
    std::set<std::vector<CandidateId>> seen;
    EXPECT_LE(state.population.size(), search.options.population);
    EXPECT_GE(state.population.size(), search.options.population - 1);
    for (const Individual& individual : state.population) {
      EXPECT_TRUE(seen.insert(individual.ids).second);
      EXPECT_EQ(individual.fitness.fitness, rig.fitness_of(individual.ids).fitness);
    }
    EXPECT_EQ(state.accepted, state.population.front().ids);
  }
}

TEST(Evolve, keeps_budgets) {
  SearchCase search = evolve_case();
  for (const std::size_t flips : {1U, 3U}) {
    search.options.budget_flips = flips;
    for (const SearchState& state : run_case(search).rounds)
      for (const Individual& individual : state.population) EXPECT_LE(individual.ids.size(), flips);
  }
  search.options.budget_flips = 0;
  search.options.budget_bytes = 48;
  const SearchState state = run_case(search).state;
  ContextRig rig(search);
  ASSERT_FALSE(state.accepted.empty());
  for (const Individual& individual : state.population)
    EXPECT_LE(rig.context->patch_bytes(individual.ids), search.options.budget_bytes);
}

TEST(Evolve, a_price_per_flip_makes_patches_smaller) {
  SearchCase search = evolve_case();
  search.options.budget_flips = 0;
  search.options.population = 12;
  const SearchState free = run_case(search).state;
  search.options.flip_penalty = 0.3;
  const SearchState priced = run_case(search).state;
  EXPECT_LT(priced.accepted.size(), free.accepted.size());
  search.options.flip_penalty = 1e6;
  EXPECT_TRUE(run_case(search).state.accepted.empty());
}

TEST(Evolve, ends_when_nothing_better_is_bred) {
  SearchCase search = evolve_case();
  search.options.iterations = 100;
  search.options.min_gain = 1e6;
  const SearchOutcome outcome = run_case(search);
  EXPECT_TRUE(outcome.state.finished);
  EXPECT_TRUE(outcome.state.accepted.empty());
  EXPECT_EQ(outcome.rounds.size(), 8U);
}

TEST(Evolve, other_seeds_breed_otherwise) {
  SearchCase search = evolve_case();
  std::set<std::vector<CandidateId>> populations;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    search.options.seed = seed;
    std::vector<CandidateId> all;
    for (const Individual& individual : run_case(search).state.population)
      all.insert(all.end(), individual.ids.begin(), individual.ids.end());
    populations.insert(all);
  }
  EXPECT_EQ(populations.size(), 3U);
}

TEST(Evolve, with_pareto_no_target_set_pays_for_another) {
  SearchCase search = evolve_case();
  search.options.iterations = 4;
  search.data.targets = {demo_data("sums.search", 0, 3), demo_data("sums.search", 3, 3)};
  search.options.pareto = true;
  const SearchOutcome outcome = run_case(search);
  ContextRig rig(search);
  std::vector<double> before(2, 0.0);
  for (SearchState state : outcome.rounds) {
    ASSERT_TRUE(rig.context->enter_state(state).ok());
    const std::vector<double> gains = compute_set_gains(
        rig.context->objective(), rig.context->base_scores(), rig.context->state_scores());
    EXPECT_TRUE(pareto_allows(before, gains));
    before = gains;
  }
  EXPECT_GT(before[0] + before[1], 0.0);
  ASSERT_FALSE(outcome.state.front.empty());
  for (const ParetoPoint& point : outcome.state.front) EXPECT_EQ(point.gains.size(), 2U);
}

TEST(Evolve, patience_gives_back_the_generation_that_generalised_best) {
  SearchCase search = evolve_case();
  search.options.iterations = 12;
  search.options.patience = 1;
  search.data.held_out = {demo_data("capitals", 0, 4)};  // known by heart: it can only lose
  const SearchOutcome outcome = run_case(search);
  EXPECT_TRUE(outcome.state.finished);
  EXPECT_EQ(outcome.state.accepted, outcome.state.best_accepted);
  EXPECT_EQ(outcome.rounds.back().rounds_without_gain, 1U);
}

}  // namespace
}  // namespace bankai::bfs
