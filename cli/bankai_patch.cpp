// bankai-patch: apply, revert, compare, combine and check patches.
#include <span>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/patch_commands.h"
#include "cli/subcommands.h"

namespace bankai::cli {
namespace {

// One list for the help text and the dispatch.
constexpr Subcommand kCommands[] = {
    {"apply", "MODEL PATCH... (-o OUT.gguf|OUT.bkpack | --in-place)", "output in-place metadata", 2,
     kAnyNumber, patch_apply},
    {"revert", "MODEL PATCH... (-o OUT.gguf|OUT.bkpack | --in-place)", "output in-place metadata",
     2, kAnyNumber, patch_revert},
    {"diff", "BASE MODIFIED -o PATCH", "output", 2, 2, patch_diff},
    {"compose", "PATCH PATCH... -o PATCH", "output", 1, kAnyNumber, patch_compose},
    {"convert", "PATCH -o PATCH [-m MODEL]", "output model", 1, 1, patch_convert},
    {"validate", "PATCH... [-m MODEL [--probes FILE]] [--budget-bytes N]",
     "model probes budget-bytes", 1, kAnyNumber, patch_validate},
    {"info", "PATCH", "", 1, 1, patch_info},
    {"overlap", "PATCH PATCH...", "", 2, kAnyNumber, patch_overlap},
};

void add_options(CommandLine& line) {
  namespace po = boost::program_options;
  line.group("Options")("output,o", po::value<std::string>(), "file to write")(
      "in-place", po::bool_switch(),
      "change the model file itself, safely: old or new at any time")(
      "metadata", po::bool_switch(),
      "apply: note the patches in the model's metadata; revert: remove such notes")(
      "model,m", po::value<std::string>(), "model to check against, or to bind to")(
      "probes", po::value<std::string>(), "probes that the patch must improve to be valid")(
      "budget-bytes", po::value<std::string>(), "largest binary size that is valid");
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  using namespace bankai::cli;
  return run_program("bankai-patch", [&] {
    CommandLine line(
        "bankai-patch",
        subcommand_usage("bankai-patch", kCommands) +
            "A PATCH is a .json or .bkp file, or the name of one in a pack that is the "
            "MODEL.\n");
    add_options(line);
    return run_subcommand(line, kCommands, argc, argv);
  });
}
