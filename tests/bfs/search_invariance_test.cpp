// What must not change a search: ranks, threads, being stopped and resumed.
#include <gtest/gtest.h>

#include "bfs/checkpoint.h"
#include "bfs/search.h"
#include "tests/bfs/search_rig.h"

namespace bankai::bfs {
namespace {

// Through the bytes of a checkpoint, as a resumed search gets it.
SearchState reread(const SearchState& state) {
  const Result<SearchState> back =
      decode_checkpoint(encode_checkpoint(state, Sha256Digest{}), Sha256Digest{}, kNever);
  EXPECT_TRUE(back.ok());
  return *back;
}

class SearchInvariance : public ::testing::TestWithParam<SearchCase> {};

TEST_P(SearchInvariance, ranks_and_threads_do_not_matter) {
  const SearchState expected = run_case(GetParam()).state;
  for (const auto& [ranks, threads] : {std::pair(2, 1), {3, 1}, {5, 1}, {1, 2}, {2, 2}, {1, 3}}) {
    const SearchOutcome outcome = run_case(GetParam(), {.ranks = ranks, .threads = threads});
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    expect_equal_states(outcome.state, expected,
                        std::to_string(ranks) + " ranks, " + std::to_string(threads) + " threads");
  }
}

// Groups of ranks that share the data: of equal and of different sizes, one group of all, and more
// shards than items.
TEST_P(SearchInvariance, shards_of_the_data_do_not_matter) {
  const SearchState expected = run_case(GetParam()).state;
  for (const auto& [ranks, shards] :
       {std::pair(1, 3), {2, 2}, {3, 2}, {3, 3}, {5, 2}, {5, 3}, {8, 3}, {8, 100}}) {
    const SearchOutcome outcome =
        run_case(GetParam(), {.ranks = ranks, .shards = static_cast<std::size_t>(shards)});
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    expect_equal_states(outcome.state, expected,
                        std::to_string(ranks) + " ranks, " + std::to_string(shards) + " shards");
  }
}

TEST_P(SearchInvariance, a_checkpoint_of_one_layout_goes_on_in_another) {
  const SearchOutcome whole = run_case(GetParam(), {.ranks = 3, .shards = 3});
  ASSERT_GE(whole.checkpoints.size(), whole.rounds.size());
  const SearchOutcome stopped =
      run_case(GetParam(), {.ranks = 4, .shards = 2, .stop_at_poll = 2, .watching_rank = 3});
  EXPECT_EQ(stopped.status.ok(), stopped.state.finished);
  std::vector<SearchState> states = {whole.checkpoints.front(), stopped.state};
  for (const SearchState& state : states) {
    for (const SearchRun& layout : {SearchRun{.ranks = 1}, SearchRun{.ranks = 5, .shards = 2}}) {
      SearchRun run = layout;
      run.start = reread(state);
      const SearchOutcome resumed = run_case(GetParam(), run);
      ASSERT_TRUE(resumed.status.ok());
      expect_equal_states(resumed.state, whole.state, "resumed");
    }
  }
}

TEST_P(SearchInvariance, stopping_anywhere_and_resuming_does_not_matter) {
  const SearchOutcome whole = run_case(GetParam());
  ASSERT_GT(whole.polls, 3U);
  for (std::uint64_t poll = 0; poll < whole.polls; ++poll) {
    const SearchOutcome stopped = run_case(GetParam(), {.stop_at_poll = poll});
    ASSERT_FALSE(stopped.status.ok()) << poll;
    ASSERT_EQ(stopped.status.error().code, ErrorCode::kStopped) << poll;
    ASSERT_FALSE(stopped.state.finished);
    const SearchOutcome resumed = run_case(GetParam(), {.start = reread(stopped.state)});
    ASSERT_TRUE(resumed.status.ok());
    expect_equal_states(resumed.state, whole.state, "stopped at poll " + std::to_string(poll));
  }
}

TEST_P(SearchInvariance, every_checkpoint_leads_to_the_same_end) {
  const SearchOutcome whole = run_case(GetParam());
  ASSERT_GE(whole.checkpoints.size(), whole.rounds.size());
  for (std::size_t i = 0; i < whole.checkpoints.size(); i += 3) {
    const SearchOutcome resumed =
        run_case(GetParam(), {.ranks = 2, .start = reread(whole.checkpoints[i])});
    ASSERT_TRUE(resumed.status.ok());
    expect_equal_states(resumed.state, whole.state, "checkpoint " + std::to_string(i));
  }
}

TEST_P(SearchInvariance, one_rank_that_must_stop_stops_all) {
  for (const std::uint64_t poll : {0U, 2U}) {
    const SearchOutcome stopped =
        run_case(GetParam(), {.ranks = 3, .stop_at_poll = poll, .watching_rank = 2});
    // The watching rank may have been given too little work to be asked that often.
    if (poll > 0 && stopped.status.ok()) continue;
    ASSERT_FALSE(stopped.status.ok());
    EXPECT_EQ(stopped.status.error().code, ErrorCode::kStopped);
    const SearchOutcome resumed =
        run_case(GetParam(), {.ranks = 2, .start = reread(stopped.state)});
    expect_equal_states(resumed.state, run_case(GetParam()).state, "resumed on two ranks");
  }
}

TEST_P(SearchInvariance, a_finished_search_stays_as_it_is) {
  const SearchState finished = run_case(GetParam()).state;
  const SearchOutcome again = run_case(GetParam(), {.start = reread(finished)});
  ASSERT_TRUE(again.status.ok());
  expect_equal_states(again.state, finished, "finished");
}

// A long round offers checkpoints in its middle.
TEST(SearchCheckpoint, a_long_round_goes_on_from_its_middle) {
  SearchCase search = search_case("exhaustive");
  search.options.tensors = layer_tensors({5}, {Projection::kUp});  // 768 rows
  search.options.iterations = 1;
  search.data.targets = {demo_data("sums.search", 0, 1)};
  search.data.controls.clear();
  const SearchOutcome whole = run_case(search);
  SearchOutcome stopped;
  for (std::uint64_t poll = 1; poll < whole.polls && stopped.state.scored.empty(); poll += 3)
    stopped = run_case(search, {.stop_at_poll = poll});
  ASSERT_FALSE(stopped.status.ok());
  ASSERT_FALSE(stopped.state.scored.empty());
  ASSERT_LT(stopped.state.scored.size(), 768U);
  expect_equal_states(stopped.checkpoints.back(), stopped.state, "the checkpoint and the state");
  const SearchOutcome resumed = run_case(search, {.ranks = 2, .start = reread(stopped.state)});
  expect_equal_states(resumed.state, whole.state, "resumed");
}

SearchCase with_patience() {
  SearchCase search = search_case("greedy");
  search.name = "patience";
  search.options.patience = 1;
  search.options.iterations = 4;
  search.data.held_out = {demo_data("sums.heldout", 0, 4), demo_data("capitals", 4, 2)};
  return search;
}

std::vector<SearchCase> all_cases() {
  std::vector<SearchCase> cases = search_cases();
  cases.push_back(with_patience());
  cases.push_back(evolve_case());
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, SearchInvariance, ::testing::ValuesIn(all_cases()),
                         [](const auto& search) { return search.param.name; });

}  // namespace
}  // namespace bankai::bfs
