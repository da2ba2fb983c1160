// Small searches on the demo model, run to the end, stopped, or resumed, on any number of ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "bfs/search.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {

// A search of a few seconds at most.
struct SearchCase {
  std::string name;
  const model::Model* model = &demo_model();
  SearchOptions options;
  SearchData data;

  // For the messages of parameterised tests.
  friend void PrintTo(const SearchCase& search, std::ostream* out) { *out << search.name; }
};

// Greedy, exhaustive and hill-climb searches over rows of the last feed-forward; one each with
// groups, bits, the margin metric, divergences for controls, and probabilities verified by a
// sample; and one over rows, groups and steps of a ternary model.
const std::vector<SearchCase>& search_cases();
const SearchCase& search_case(const std::string& name);
// Three generations of six patches, of at most five flips each. Not one of the cases above: its
// rounds also take flips back.
SearchCase evolve_case();

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

struct SearchRun {
  int ranks = 1;
  int threads = 1;
  std::size_t shards = 0;  // SearchOptions
  SearchState start = {};
  // The hook asks to stop at this poll (counted from 0 on the rank that watches) and ever after.
  std::uint64_t stop_at_poll = kNever;
  int watching_rank = 0;
};

struct SearchOutcome {
  Status status;
  SearchState state;
  std::uint64_t polls = 0;               // of the watching rank
  std::vector<SearchState> checkpoints;  // as offered on rank 0
  std::vector<SearchState> rounds;       // after each round, on rank 0
};

// Runs the search; fails the test unless all ranks end with the same status and state.
SearchOutcome run_case(const SearchCase& search, const SearchRun& run = {});

// Equal in all that a search knows but the seconds spent.
void expect_equal_states(const SearchState& a, const SearchState& b, const std::string& what);

// The flips of a state's accepted candidates.
std::vector<patch::Flip> accepted_flips(const SearchCase& search, const SearchState& state);

}  // namespace bankai::bfs
