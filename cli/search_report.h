// What bankai-search tells: the result as table or JSON, the score table, the log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bfs/explain.h"
#include "bfs/held_out.h"
#include "bfs/search_context.h"
#include "bfs/search_state.h"
#include "core/atomic_file.h"
#include "patch/patch.h"

namespace bankai::cli {

// Everything that is known at the end of a search.
struct SearchReport {
  patch::Patch patch;
  bfs::Fitness fitness;
  bfs::ParetoFront front;
  double target_before = 0.0, target_after = 0.0;
  double control_before = 0.0, control_after = 0.0;
  std::optional<bfs::HeldOutResult> held_out;
  std::optional<bfs::HeldOutResult> controls;  // the controls' answers, by generation
  std::vector<bfs::FlipReason> reasons;        // empty unless asked for
  std::uint64_t forward_tokens = 0;
  double seconds = 0.0;
  int ranks = 1;
  int threads = 1;
  std::string kernel;
};

// On standard output. `output`: the file that the patch was written to, or "".
void print_report(const bfs::SearchContext& context, const SearchReport& report, bool json,
                  const std::string& output);

// One line per scored candidate of state.ranking, relative to the unpatched model:
// layer, tensor, row, group, column, delta_loss, sensitivity, control_loss, fitness.
Status write_scores(const std::string& path, const bfs::SearchContext& context,
                    const bfs::SearchState& state, Overwrite overwrite);

// One event of the log, as a JSON object on one line (with its newline).
std::string round_event(const bfs::SearchContext& context, const bfs::SearchState& state,
                        double seconds);

// Tokens through all layers that amount to the state's work.
std::uint64_t forward_tokens(const bfs::SearchContext& context, const bfs::SearchState& state);

}  // namespace bankai::cli
