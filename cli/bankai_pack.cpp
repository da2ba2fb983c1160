// bankai-pack: turns models into small files and back, and plans for byte budgets.
#include <cstdint>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/pack_commands.h"
#include "cli/subcommands.h"

namespace bankai::cli {
namespace {

// One list for the help text and the dispatch.
constexpr Subcommand kCommands[] = {
    {"pack", "MODEL -o FILE.bkpack [--budget-bytes N] [--patch NAME=PATCH]...",
     "output patch min-decode-rate i2s-layout budget-bytes calibration heldout calibration-tokens "
     "ctx activations max-measurements drop-unused-rows verbose to scale bits embedding pre",
     1, 1, pack_pack},
    {"plan", "MODEL (--budget-bytes N | --curve COUNT) [--calibration TEXT]",
     "patch min-decode-rate i2s-layout budget-bytes curve calibration heldout calibration-tokens "
     "ctx activations max-measurements drop-unused-rows verbose to scale bits embedding pre",
     1, 1, pack_plan},
    {"unpack", "FILE.bkpack -o MODEL.gguf", "output", 1, 1, pack_unpack},
    {"info", "FILE.bkpack [--verbose]", "verbose", 1, 1, pack_info},
    {"verify", "FILE.bkpack [--against MODEL.gguf]", "against", 1, 1, pack_verify},
    {"convert", "FOLDER|MODEL -o MODEL.gguf --to TYPE [--scale tensor|row|group]",
     "output to scale bits embedding pre i2s-layout", 1, 1, pack_convert},
    {"compare", "CHECKPOINT.ptz", "", 1, 1, pack_compare},
};

void add_options(CommandLine& line) {
  namespace po = boost::program_options;
  line.group("Options")("output,o", po::value<std::string>(), "file to write")(
      "patch", po::value<std::vector<std::string>>()->default_value({}, ""),
      "pack: a patch to carry along, NAME=FILE; repeatable")(
      "min-decode-rate", po::value<std::uint32_t>()->default_value(20),
      "pack: codecs must decode so many million elements per second on one core; 0: any")(
      "against", po::value<std::string>(), "verify: the model that must come out, byte for byte");
  add_convert_options(line);
  add_plan_options(line);
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  using namespace bankai::cli;
  return run_program("bankai-pack", [&] {
    CommandLine line("bankai-pack", subcommand_usage("bankai-pack", kCommands) +
                                        "A MODEL is a GGUF file, a pack, a BIT1 file or a "
                                        "checkpoint folder.\n");
    add_options(line);
    return run_subcommand(line, kCommands, argc, argv);
  });
}
