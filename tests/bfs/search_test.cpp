#include "bfs/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "bfs/evaluator.h"
#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "patch/fingerprint.h"
#include "patch/patch_binary.h"
#include "tests/bfs/reference_model.h"
#include "tests/bfs/search_rig.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

using patch::Flip;

// The context of a case on one rank.
struct ContextRig {
  explicit ContextRig(const SearchCase& search)
      : transformer(make_transformer(*search.model)),
        context(std::move(SearchContext::create(transformer, comm, search.options, search.data, {}))
                    .value()) {}

  mpi::SelfCommunicator comm;
  model::Transformer transformer;
  std::unique_ptr<SearchContext> context;
};

TEST(Search, every_strategy_improves_and_says_what_it_did) {
  for (const SearchCase& search : search_cases()) {
    const SearchOutcome outcome = run_case(search);
    ASSERT_TRUE(outcome.status.ok()) << search.name << ": " << outcome.status.error().message;
    const SearchState& state = outcome.state;
    EXPECT_TRUE(state.finished) << search.name;
    EXPECT_FALSE(state.accepted.empty()) << search.name;
    EXPECT_GT(state.fitness.fitness, 0.0) << search.name;
    EXPECT_LE(state.round, search.options.iterations) << search.name;
    EXPECT_EQ(state.round, outcome.rounds.size()) << search.name;
    EXPECT_TRUE(state.scored.empty()) << search.name;
    const std::set<CandidateId> different(state.accepted.begin(), state.accepted.end());
    EXPECT_EQ(different.size(), state.accepted.size()) << search.name;
  }
}

TEST(Search, rounds_only_ever_improve) {
  for (const SearchCase& search : search_cases()) {
    if (search.options.metric == Metric::kMargin) continue;  // its measure changes with the rivals
    SearchState before;
    for (const SearchState& after : run_case(search).rounds) {
      if (after.accepted == before.accepted) {
        EXPECT_EQ(after.fitness.fitness, before.fitness.fitness) << search.name;
      } else {
        EXPECT_GT(after.fitness.fitness, before.fitness.fitness) << search.name;
      }
      before = after;
    }
  }
}

// The claim of every search, checked by recomputation on a model with the bits really flipped.
TEST(Search, the_fitness_is_that_of_the_patched_model) {
  for (const SearchCase& search : search_cases()) {
    if (search.options.control_metric == Metric::kKl) continue;
    const SearchState state = run_case(search).state;
    const std::vector<Flip> flips = accepted_flips(search, state);
    SearchState fresh;
    fresh.accepted = state.accepted;
    ContextRig rig(search);
    const Objective unpatched = rig.context->objective();
    ASSERT_TRUE(rig.context->enter_state(fresh).ok());  // the rivals of the margin are the state's
    const auto edited = edited_model(*search.model, patch::FlipSet::make(flips).value());
    model::Transformer before = make_transformer(*search.model);
    model::Transformer after = make_transformer(*edited);
    const Objective& objective = rig.context->objective();
    const Fitness fitness =
        compute_fitness(objective, plain_scores(before, unpatched), plain_scores(after, objective),
                        search.options.control_penalty);
    EXPECT_EQ(state.fitness.fitness, fitness.fitness) << search.name;
    EXPECT_EQ(state.fitness.target_gain, fitness.target_gain) << search.name;
    EXPECT_EQ(state.fitness.control_loss, fitness.control_loss) << search.name;
  }
}

TEST(Search, exhaustive_scores_every_candidate_exactly) {
  const SearchCase& search = search_case("exhaustive");
  SearchCase one_round = search;
  one_round.options.iterations = 1;
  const SearchState state = run_case(one_round).state;
  ContextRig rig(one_round);
  ASSERT_EQ(state.ranking.size(), rig.context->space().size());
  for (std::size_t i = 0; i < state.ranking.size(); ++i) {
    ASSERT_EQ(state.ranking[i].id, i);
    if (i % 4 != 0) continue;  // each of these is a full forward pass
    const Flip flip = rig.context->space().flip(i);
    const std::vector<double> scores = rig.context->score_patch({&flip, 1});
    EXPECT_EQ(state.ranking[i].fitness.fitness, rig.context->fitness_of(scores).fitness);
  }
}

TEST(Search, samples_as_many_candidates_as_asked_for) {
  SearchCase search = search_case("exhaustive");
  search.options.iterations = 1;
  search.options.candidates = 40;
  std::set<std::vector<CandidateId>> samples;
  for (const std::uint64_t seed : {42U, 43U}) {
    search.options.seed = seed;
    std::vector<CandidateId> ids;
    for (const ScoredCandidate& candidate : run_case(search).state.ranking)
      ids.push_back(candidate.id);
    EXPECT_EQ(ids.size(), search.options.candidates);
    EXPECT_TRUE(std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end());
    EXPECT_LT(ids.back(), 128U);
    samples.insert(ids);
  }
  EXPECT_EQ(samples.size(), 2U);
}

TEST(SearchContext, gives_up_what_does_not_exceed_the_threshold_and_nothing_else) {
  for (const char* name : {"greedy", "groups", "bits", "margin"}) {
    const SearchCase& search = search_case(name);
    ContextRig rig(search);
    SearchState state;
    ASSERT_TRUE(rig.context->enter_state(state).ok());
    std::vector<CandidateId> ids;
    for (CandidateId id = 0; id < 30; ++id) ids.push_back(id * 7);
    SearchState plain = state;
    const std::vector<ScoredCandidate> all = rig.context->score(ids, plain).value();
    std::vector<double> fitness;
    for (const ScoredCandidate& candidate : all) fitness.push_back(candidate.fitness.fitness);
    std::sort(fitness.begin(), fitness.end());
    for (const double threshold : {fitness[0] - 1.0, fitness[0], fitness[15], fitness[29]}) {
      SearchState bounded = state;
      const std::vector<ScoredCandidate> some = rig.context->score(ids, bounded, threshold).value();
      EXPECT_EQ(bounded.work, plain.work) << "work is a function of the candidates";
      ASSERT_EQ(some.size(), all.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(some[i].id, all[i].id);
        const bool is_kept = all[i].fitness.fitness > threshold;
        EXPECT_EQ(some[i].fitness.fitness,
                  is_kept ? all[i].fitness.fitness : -std::numeric_limits<double>::infinity());
        EXPECT_EQ(some[i].fitness.target_gain, is_kept ? all[i].fitness.target_gain : 0.0);
        EXPECT_EQ(some[i].fitness.control_loss, is_kept ? all[i].fitness.control_loss : 0.0);
      }
    }
  }
}

TEST(Search, giving_up_candidates_early_changes_no_patch) {
  std::vector<SearchCase> cases = {search_case("greedy"), search_case("groups"),
                                   search_case("bits"), search_case("margin")};
  cases.push_back(search_case("greedy"));
  cases.back().name = "penalty";
  cases.back().options.flip_penalty = 0.02;
  std::ptrdiff_t given_up = 0;
  for (SearchCase& search : cases) {
    search.options.iterations = 4;
    search.options.shortlist = 40;
    const SearchOutcome early = run_case(search);
    search.options.all_scores = true;
    const SearchOutcome full = run_case(search);
    ASSERT_EQ(early.rounds.size(), full.rounds.size());
    for (std::size_t round = 0; round < full.rounds.size(); ++round) {
      const SearchState& a = early.rounds[round];
      const SearchState& b = full.rounds[round];
      EXPECT_EQ(a.accepted, b.accepted) << search.name;
      EXPECT_EQ(a.fitness.fitness, b.fitness.fitness) << search.name;
      EXPECT_EQ(a.work, b.work) << search.name;
      ASSERT_EQ(a.ranking.size(), b.ranking.size());
      given_up += std::count_if(a.ranking.begin(), a.ranking.end(), [](const auto& candidate) {
        return std::isinf(candidate.fitness.fitness);
      });
    }
    for (const ScoredCandidate& candidate : full.rounds[0].ranking)
      EXPECT_TRUE(std::isfinite(candidate.fitness.fitness)) << "all scores were wanted";
  }
  EXPECT_GT(given_up, 10);
}

TEST(SearchContext, refuses_data_that_do_not_fit_into_the_memory_allowed) {
  SearchCase search = search_case("greedy");
  search.options.activation_bytes = 1000;
  for (const int ranks : {1, 3}) {
    const Status status = run_case(search, {.ranks = ranks}).status;
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kUsage);
  }
  EXPECT_TRUE(run_case(search, {.ranks = 2, .shards = 1}).status.ok()) << "asked for";
}

TEST(SearchContext, as_few_ranks_share_the_data_as_memory_allows) {
  SearchCase search = search_case("greedy");
  const std::uint64_t whole =
      ContextRig(search).context->objective().num_tokens() *
      Evaluator::bytes_per_node(demo_model().parameters(), search.options.tensors);
  const auto shards = [&](int ranks) {
    std::vector<int> found(static_cast<std::size_t>(ranks));
    mpi::run_ranks(ranks, [&](mpi::Communicator& comm) {
      model::Transformer transformer = make_transformer(demo_model());
      found[static_cast<std::size_t>(comm.rank())] =
          SearchContext::create(transformer, comm, search.options, search.data, {})
              .value()
              ->num_shards();
    });
    return found;
  };
  EXPECT_EQ(shards(3), (std::vector<int>{1, 1, 1}));
  search.options.activation_bytes = whole * 3 / 4;
  EXPECT_EQ(shards(5), (std::vector<int>{3, 3, 3, 2, 2}));
  search.options.shards = 4;
  EXPECT_EQ(shards(5), (std::vector<int>{5, 5, 5, 5, 5}));
}

TEST(Search, keeps_a_budget_of_flips) {
  for (const char* name : {"greedy", "hill_climb", "groups"}) {
    SearchCase search = search_case(name);
    const std::size_t free = run_case(search).state.accepted.size();
    for (const std::size_t budget : {std::size_t{1}, std::size_t{2}, free, free + 1}) {
      search.options.budget_flips = budget;
      const SearchState state = run_case(search).state;
      EXPECT_LE(state.accepted.size(), budget) << name;
      EXPECT_FALSE(state.accepted.empty()) << name;
      EXPECT_TRUE(state.finished) << name;
    }
  }
}

TEST(Search, keeps_a_budget_of_bytes) {
  for (const char* name : {"greedy", "hill_climb", "bits"}) {
    SearchCase search = search_case(name);
    const SearchState free_state = run_case(search).state;
    const ContextRig rig(search);
    const std::size_t largest = rig.context->patch_bytes(free_state.accepted);
    const std::size_t smallest = rig.context->patch_bytes(std::span(free_state.accepted).first(1));
    for (const std::size_t budget : {smallest - 1, smallest, largest - 1, largest}) {
      search.options.budget_bytes = budget;
      const SearchState state = run_case(search).state;
      EXPECT_LE(state.accepted.empty() ? 0 : rig.context->patch_bytes(state.accepted), budget)
          << name;
      if (budget >= smallest + 2) {
        EXPECT_FALSE(state.accepted.empty()) << name;
      }
    }
  }
}

TEST(SearchContext, counts_the_bytes_of_the_patch_that_will_be_written) {
  for (const char* name : {"greedy", "groups", "bits"}) {
    const SearchCase& search = search_case(name);
    const SearchState state = run_case(search).state;
    const ContextRig rig(search);
    Result<patch::Patch> patch = rig.context->make_patch(state.accepted);
    ASSERT_TRUE(patch.ok());
    ASSERT_TRUE(patch::bind_to_base(*patch, [](TensorAddress address) {
                  return demo_model().bit_matrix(address);
                }).ok());
    EXPECT_EQ(rig.context->patch_bytes(state.accepted), patch::encode_binary(*patch).size());
    // Two groups that make a row are one flip of the row.
    EXPECT_LE(patch->flips.size(), state.accepted.size());
  }
}

TEST(Search, accepts_nothing_below_the_gain_asked_for) {
  for (const char* name : {"greedy", "hill_climb"}) {
    SearchCase search = search_case(name);
    search.options.min_gain = 1e6;
    const SearchState state = run_case(search).state;
    EXPECT_TRUE(state.accepted.empty());
    EXPECT_EQ(state.fitness.fitness, 0.0);
    EXPECT_TRUE(state.finished);
  }
}

TEST(Search, patience_changes_nothing_while_the_held_out_data_improves) {
  SearchCase search = search_case("greedy");
  search.data.controls.clear();
  const SearchState free_state = run_case(search).state;
  search.options.patience = 1;
  search.data.held_out = search.data.targets;
  const SearchState state = run_case(search).state;
  EXPECT_EQ(state.accepted, free_state.accepted);
  EXPECT_EQ(state.fitness.fitness, free_state.fitness.fitness);
  EXPECT_EQ(state.best_accepted, state.accepted);
  EXPECT_GT(state.best_held_out, 0.0);
  EXPECT_EQ(state.rounds_without_gain, 0U);
}

TEST(Search, patience_ends_the_search_and_takes_back_what_did_not_carry_over) {
  SearchCase search = search_case("greedy");
  search.options.patience = 1;
  search.options.iterations = 8;
  search.data.held_out = {demo_data("capitals", 0, 4)};  // known by heart: it can only lose
  const SearchOutcome outcome = run_case(search);
  const SearchState& state = outcome.state;
  EXPECT_TRUE(state.finished);
  EXPECT_EQ(outcome.rounds.back().rounds_without_gain, 1U);
  EXPECT_LT(state.accepted.size(), outcome.rounds.back().accepted.size());
  EXPECT_EQ(state.accepted, state.best_accepted);
  // The fitness is that of the flips that are left.
  const SearchOutcome again = run_case(search, {.start = state});
  EXPECT_EQ(again.state.fitness.fitness, state.fitness.fitness);
  if (state.accepted.empty()) {
    EXPECT_EQ(state.fitness.fitness, 0.0);
  }
}

TEST(SearchContext, refuses_probes_that_the_metric_cannot_use) {
  SearchCase search = search_case("greedy");
  search.options.metric = Metric::kSeqLogprob;
  search.data.targets[0].data.probes[1].wrong.clear();
  const Status status = run_case(search).status;
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kBadInput);
}

}  // namespace
}  // namespace bankai::bfs
