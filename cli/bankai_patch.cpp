// bankai-patch: apply, revert, compare, combine and check patches.
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/patch_commands.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

struct Command {
  const char* name;
  const char* arguments;
  std::size_t min_files;
  std::size_t max_files;
  Status (*run)(const CommandLine&, Files);
};

// One list for the help text and the dispatch.
constexpr Command kCommands[] = {
    {"apply", "MODEL.gguf PATCH... (-o OUT.gguf | --in-place)", 2, kAnyNumber, patch_apply},
    {"revert", "MODEL.gguf PATCH... (-o OUT.gguf | --in-place)", 2, kAnyNumber, patch_revert},
    {"diff", "BASE.gguf MODIFIED.gguf -o PATCH", 2, 2, patch_diff},
    {"compose", "PATCH PATCH... -o PATCH", 1, kAnyNumber, patch_compose},
    {"convert", "PATCH -o PATCH [-m MODEL.gguf]", 1, 1, patch_convert},
    {"validate", "PATCH... [-m MODEL.gguf [--probes FILE]] [--budget-bytes N]", 1, kAnyNumber,
     patch_validate},
    {"info", "PATCH", 1, 1, patch_info},
    {"overlap", "PATCH PATCH...", 2, kAnyNumber, patch_overlap},
};

std::string synopsis() {
  std::string text = "usage:\n";
  for (const Command& command : kCommands)
    text += std::string("  bankai-patch ") + command.name + " " + command.arguments + "\n";
  return text + "A PATCH is a .json or .bkp file.\n";
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

Status run(CommandLine& line, int argc, const char* const* argv) {
  namespace po = boost::program_options;
  line.group("Options")("output,o", po::value<std::string>(), "file to write")(
      "in-place", po::bool_switch(),
      "change the model file itself, safely: old or new at any time")(
      "metadata", po::bool_switch(),
      "apply: note the patches in the model's metadata; revert: remove such notes")(
      "model,m", po::value<std::string>(), "model to check against, or to bind to")(
      "probes", po::value<std::string>(), "probes that the patch must improve to be valid")(
      "budget-bytes", po::value<std::string>(), "largest binary size that is valid")(
      "command", po::value<std::string>(), "one of the commands above (no option name needed)")(
      "file", po::value<std::vector<std::string>>()->default_value({}, ""),
      "its files (no option name needed)");
  line.positional("command", 1);
  line.positional("file", -1);
  BANKAI_ASSIGN_OR_RETURN(const bool go_on, line.parse(argc, argv));
  if (!go_on) return {};
  if (!line.has("command")) return make_error(ErrorCode::kUsage, "no command (see --help)");
  BANKAI_ASSIGN_OR_RETURN(const Command* command, find_command(line.get<std::string>("command")));
  const auto& files = line.get<std::vector<std::string>>("file");
  if (files.size() < command->min_files || files.size() > command->max_files)
    return make_error(ErrorCode::kUsage, "expected: bankai-patch %s %s", command->name,
                      command->arguments);
  return command->run(line, files);
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  return bankai::cli::run_program("bankai-patch", [&] {
    bankai::cli::CommandLine line("bankai-patch", bankai::cli::synopsis());
    return bankai::cli::run(line, argc, argv);
  });
}
