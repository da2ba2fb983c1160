#include "tests/bfs/search_rig.h"

#include <gtest/gtest.h>

#include <optional>

#include "bfs/checkpoint.h"
#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

SearchCase base_case(const std::string& name) {
  SearchCase search;
  search.name = name;
  search.options.tensors = layer_tensors({5}, {Projection::kGate, Projection::kUp});
  search.options.candidates = 40;
  search.options.shortlist = 12;
  search.options.iterations = 2;
  search.data.targets = {demo_data("sums.search", 0, 3)};
  search.data.controls = {demo_data("capitals", 0, 1), demo_data("elements", 0, 1, 0.5)};
  return search;
}

std::vector<SearchCase> make_cases() {
  std::vector<SearchCase> cases = {
      base_case("greedy"), base_case("exhaustive"), base_case("hill_climb"), base_case("groups"),
      base_case("bits"),   base_case("margin"),     base_case("steps"),      base_case("sample")};
  cases[1].options.strategy = StrategyKind::kExhaustive;
  cases[1].options.candidates = 0;
  cases[1].options.tensors = layer_tensors({5}, {Projection::kValue});
  cases[2].options.strategy = StrategyKind::kHillClimb;
  cases[2].options.iterations = 20;
  cases[3].options.granularity = Granularity::kGroup;
  cases[3].options.metric = Metric::kSeqLogprob;
  cases[3].options.tensors = layer_tensors({5}, {Projection::kDown, Projection::kOutput});
  cases[4].options.granularity = Granularity::kBit;
  cases[4].options.control_metric = Metric::kKl;
  cases[4].data.controls.push_back({{"text", {}, {"The capital of France is Paris."}}, 1.0});
  cases[5].options.metric = Metric::kMargin;
  cases[5].options.control_metric = Metric::kMargin;
  cases[5].options.budget_flips = 4;  // so small that flips are exchanged
  cases[6].model = &tiny_ternary_model();
  cases[6].options.granularity = Granularity::kMixed;
  cases[6].options.budget_bytes = 120;
  cases[6].options.iterations = 3;
  cases[6].options.tensors = layer_tensors({2}, {Projection::kUp, Projection::kDown});
  cases[7].options.metric = Metric::kProbability;
  cases[7].options.control_metric = Metric::kProbability;
  cases[7].options.verify_fraction = 0.4;
  cases[7].options.budget_flips = 3;
  return cases;
}

void run_rank(const SearchCase& search, const SearchRun& run, mpi::Communicator& comm,
              SearchOutcome& outcome) {
  model::Transformer transformer =
      make_transformer(*search.model, kernels::ActivationMode::kA16, run.threads);
  SearchHooks hooks;
  if (comm.rank() == run.watching_rank)
    hooks.should_stop = [&] { return outcome.polls++ >= run.stop_at_poll; };
  hooks.on_checkpoint = [&](const SearchState& state) { outcome.checkpoints.push_back(state); };
  hooks.on_round = [&](const SearchState& state) { outcome.rounds.push_back(state); };
  SearchOptions options = search.options;
  options.shards = run.shards;
  auto context = SearchContext::create(transformer, comm, options, search.data, std::move(hooks));
  if (!context.ok()) {
    outcome.status = context.error();
    return;
  }
  std::optional<HeldOut> held_out;
  if (!search.data.held_out.empty()) {
    auto created =
        HeldOut::create(transformer, comm, search.data.held_out, search.options.text_context);
    ASSERT_TRUE(created.ok()) << created.error().message;
    held_out.emplace(std::move(created).value());
  }
  outcome.state = run.start;
  outcome.status = run_search(**context, held_out ? &*held_out : nullptr, outcome.state);
}

}  // namespace

const std::vector<SearchCase>& search_cases() {
  static const std::vector<SearchCase> cases = make_cases();
  return cases;
}

const SearchCase& search_case(const std::string& name) {
  for (const SearchCase& search : search_cases())
    if (search.name == name) return search;
  ADD_FAILURE() << "no search case " << name;
  return search_cases().front();
}

SearchCase evolve_case() {
  SearchCase search = base_case("evolve");
  search.options.strategy = StrategyKind::kEvolve;
  search.options.iterations = 3;
  search.options.population = 6;
  search.options.budget_flips = 5;
  return search;
}

SearchOutcome run_case(const SearchCase& search, const SearchRun& run) {
  std::vector<SearchOutcome> outcomes(static_cast<std::size_t>(run.ranks));
  if (run.ranks == 1) {
    mpi::SelfCommunicator alone;
    run_rank(search, run, alone, outcomes[0]);
  } else {
    mpi::run_ranks(run.ranks, [&](mpi::Communicator& comm) {
      run_rank(search, run, comm, outcomes[static_cast<std::size_t>(comm.rank())]);
    });
  }
  for (const SearchOutcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status.ok(), outcomes[0].status.ok()) << search.name;
    if (!outcome.status.ok() && !outcomes[0].status.ok()) {
      EXPECT_EQ(outcome.status.error().code, outcomes[0].status.error().code) << search.name;
    }
    expect_equal_states(outcome.state, outcomes[0].state, search.name + ", ranks");
  }
  SearchOutcome result = outcomes[0];
  result.polls = outcomes[static_cast<std::size_t>(run.watching_rank)].polls;
  return result;
}

void expect_equal_states(const SearchState& a, const SearchState& b, const std::string& what) {
  const auto bytes = [](SearchState state) {
    state.seconds = 0.0;
    return encode_checkpoint(state, Sha256Digest{});
  };
  EXPECT_EQ(a.accepted, b.accepted) << what;
  EXPECT_EQ(a.fitness.fitness, b.fitness.fitness) << what;
  EXPECT_EQ(a.work, b.work) << what;
  EXPECT_TRUE(bytes(a) == bytes(b)) << what;
}

std::vector<patch::Flip> accepted_flips(const SearchCase& search, const SearchState& state) {
  const CandidateSpace space(*search.model, search.options.tensors, search.options.granularity);
  std::vector<patch::Flip> flips;
  for (const CandidateId id : state.accepted) flips.push_back(space.flip(id));
  return flips;
}

}  // namespace bankai::bfs
