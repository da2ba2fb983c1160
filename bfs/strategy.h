// The search strategies behind one interface.
#pragma once

#include <memory>

#include "bfs/search_context.h"

namespace bankai::bfs {

class Strategy {
 public:
  virtual ~Strategy() = default;
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;

  // Collective. Takes the state (which the context has entered) through one round, or on from where
  // a round was interrupted. Sets `finished` when there is nothing more to try. Does not count the
  // round.
  virtual Status run_round(SearchContext& context, SearchState& state) = 0;

 protected:
  Strategy() = default;
};

// For a search that starts, or resumes, at `state`.
std::unique_ptr<Strategy> make_strategy(const SearchContext& context, const SearchState& state);

// Each in the file of its name.
std::unique_ptr<Strategy> make_greedy();
std::unique_ptr<Strategy> make_exhaustive();
std::unique_ptr<Strategy> make_evolve();
std::unique_ptr<Strategy> make_hill_climb(const SearchContext& context, const SearchState& state);

}  // namespace bankai::bfs
