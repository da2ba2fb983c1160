// The command line of bankai-search as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bfs/search_model.h"
#include "bfs/search_options.h"
#include "cli/command_line.h"
#include "kernels/matmul.h"
#include "model/model.h"

namespace bankai::cli {

// What the search writes and how long it may take; what it does is in bfs::SearchOptions.
struct SearchFiles {
  std::string output;
  std::string scores;
  std::string checkpoint;
  std::string log;
  bool resume = false;
  bool explain = false;
  double held_out_level = 0.05;  // bfs::HeldOutResult::generalises
  // Candidates of each kind to evaluate instead of searching.
  std::optional<std::uint64_t> check_ranking;
  std::vector<std::string> atlas;   // files of the atlas that is made instead of searching
  double time_limit_seconds = 0.0;  // 0: none
};

void add_search_options(CommandLine& line);

// Errors: kUsage.
Result<SearchFiles> read_search_files(const CommandLine& line);
Result<bfs::SearchOptions> read_search_options(const CommandLine& line,
                                               const bfs::SearchModel& model);
// Reads the files of --target, --control and --heldout. Errors: those of bfs::read_data_set.
Result<bfs::SearchData> read_search_data(const CommandLine& line);

}  // namespace bankai::cli
