// bankai-pack: turns models into small files and back, and plans for byte budgets.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/pack_commands.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

struct Command {
  const char* name;
  const char* arguments;
  const char* options;  // that it takes
  std::size_t min_files;
  std::size_t max_files;
  Status (*run)(const CommandLine&, Files);
};

// One list for the help text and the dispatch.
constexpr Command kCommands[] = {
    {"pack", "MODEL.gguf -o FILE.bkpack [--budget-bytes N] [--patch NAME=PATCH]...",
     "output patch min-decode-rate i2s-layout budget-bytes calibration calibration-tokens ctx "
     "activations max-measurements drop-unused-rows",
     1, 1, pack_pack},
    {"plan", "MODEL.gguf (--budget-bytes N | --curve COUNT) [--calibration TEXT]",
     "patch min-decode-rate i2s-layout budget-bytes curve calibration calibration-tokens ctx "
     "activations max-measurements drop-unused-rows",
     1, 1, pack_plan},
    {"unpack", "FILE.bkpack -o MODEL.gguf", "output", 1, 1, pack_unpack},
    {"info", "FILE.bkpack", "", 1, 1, pack_info},
    {"verify", "FILE.bkpack [--against MODEL.gguf]", "against", 1, 1, pack_verify},
    {"convert", "FOLDER|MODEL.gguf -o MODEL.gguf --to TYPE [--scale tensor|row|group]",
     "output to scale bits embedding pre i2s-layout", 1, 1, pack_convert},
    {"compare", "CHECKPOINT.ptz", "", 1, 1, pack_compare},
};

std::string synopsis() {
  std::string text = "usage:\n";
  for (const Command& command : kCommands)
    text += std::string("  bankai-pack ") + command.name + " " + command.arguments + "\n";
  return text;
}

Result<const Command*> find_command(const std::string& name) {
  std::string names;
  for (const Command& command : kCommands) {
    if (name == command.name) return &command;
    names += (names.empty() ? "" : ", ") + std::string(command.name);
  }
  return make_error(ErrorCode::kUsage, "unknown command '%s': expected one of %s", name.c_str(),
                    names.c_str());
}

void add_options(CommandLine& line) {
  namespace po = boost::program_options;
  line.group("Options")("output,o", po::value<std::string>(), "file to write")(
      "patch", po::value<std::vector<std::string>>()->default_value({}, ""),
      "pack: a patch to carry along, NAME=FILE; repeatable")(
      "min-decode-rate", po::value<std::uint32_t>()->default_value(0),
      "pack: codecs must decode so many million elements per second on one core")(
      "against", po::value<std::string>(), "verify: the model that must come out, byte for byte")(
      "command", po::value<std::string>(), "one of the commands above (no option name needed)")(
      "file", po::value<std::vector<std::string>>()->default_value({}, ""),
      "its files (no option name needed)");
  add_convert_options(line);
  add_plan_options(line);
  line.positional("command", 1);
  line.positional("file", -1);
}

Status run(CommandLine& line, int argc, const char* const* argv) {
  add_options(line);
  BANKAI_ASSIGN_OR_RETURN(const bool go_on, line.parse(argc, argv));
  if (!go_on) return {};
  if (!line.has("command")) return make_error(ErrorCode::kUsage, "no command (see --help)");
  BANKAI_ASSIGN_OR_RETURN(const Command* command, find_command(line.get<std::string>("command")));
  const auto& files = line.get<std::vector<std::string>>("file");
  if (files.size() < command->min_files || files.size() > command->max_files)
    return make_error(ErrorCode::kUsage, "expected: bankai-pack %s %s", command->name,
                      command->arguments);
  BANKAI_RETURN_IF_ERROR(
      line.accept_only(command->name, std::string("command file ") + command->options));
  return command->run(line, files);
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  return bankai::cli::run_program("bankai-pack", [&] {
    bankai::cli::CommandLine line("bankai-pack", bankai::cli::synopsis());
    return bankai::cli::run(line, argc, argv);
  });
}
