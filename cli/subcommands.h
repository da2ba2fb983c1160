// Programs of several commands: one table of them for the help text, the check of files and
// options, and the dispatch.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cli/command_line.h"
#include "core/result.h"

namespace bankai::cli {

using Files = std::span<const std::string>;

inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

struct Subcommand {
  const char* name;
  const char* arguments;
  const char* options;  // that it takes: long names with spaces between
  std::size_t min_files;
  std::size_t max_files;
  Status (*run)(const CommandLine&, Files);
};

// The lines of the help text that say how each of them is called.
std::string subcommand_usage(const char* program, std::span<const Subcommand> commands);

// Parses the command line and runs the command that it names. Errors: kUsage, and the command's
// own. REQUIRES: `line` has its options; the command's name and files are added here.
Status run_subcommand(CommandLine& line, std::span<const Subcommand> commands, int argc,
                      const char* const* argv);

}  // namespace bankai::cli
