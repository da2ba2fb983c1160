// One run of bankai-search: the search, its progress, checkpoints and log, and what it ends with.
#pragma once

#include <memory>
#include <optional>

#include "bfs/explain.h"
#include "bfs/search.h"
#include "cli/progress.h"
#include "cli/search_output.h"
#include "cli/search_setup.h"
#include "core/clock.h"

namespace bankai::cli {

class SearchRun {
 public:
  // References must outlive this.
  SearchRun(const CommandLine& line, const SearchSetup& setup, mpi::Communicator& communicator);

  // Collective. Errors are the same on all ranks.
  Status run();

 private:
  // Why the search came to an early end, the same on all ranks.
  enum class Stop : std::int64_t { kNone = 0, kTimeLimit = 1, kSignal = 2 };

  Status prepare();
  Status create_context();
  Status resume();
  Status check_probes();
  Status check_outputs();
  void warn_of_length();
  bfs::SearchHooks make_hooks();
  void show_round(const bfs::SearchState& state);
  void show_draw(const bfs::SearchState& state);
  Status save_checkpoint(const bfs::SearchState& state);
  bool ends_with_patch(Stop stop) const;
  Status finish(Stop stop, Proofs proofs);
  Status check_ranking();
  // Why held-out data do not prove the patch.
  std::string why_unproven(const bfs::HeldOutResult& proof) const;
  Status make_atlas();
  // Collective. `status`: of work that ended well or was stopped.
  Stop why_stopped(const Status& status);
  double seconds() const { return state_.seconds + clock_.seconds(); }
  // The first failure to write is kept: the search goes on, and the program ends with it.
  void note(const Status& status);
  // The status of the work that rank 0 does alone, on all ranks.
  Status agree_with_root(const Status& mine);

  const CommandLine& line_;
  const SearchSetup& setup_;
  mpi::Communicator& communicator_;
  bool is_root_;
  Progress progress_;
  std::unique_ptr<bfs::SearchContext> context_;
  std::optional<bfs::HeldOut> held_out_;
  bfs::SearchState state_;
  std::vector<bfs::FlipReason> reasons_;  // for --explain
  Stopwatch clock_;
  Status write_status_;
};

}  // namespace bankai::cli
