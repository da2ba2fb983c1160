#include "cli/subcommands.h"

#include <vector>

#include "core/format.h"

namespace bankai::cli {
namespace {

Result<const Subcommand*> find_command(std::span<const Subcommand> commands,
                                       const std::string& name) {
  std::string names;
  for (const Subcommand& command : commands) {
    if (name == command.name) return &command;
    names += (names.empty() ? "" : ", ") + std::string(command.name);
  }
  return make_error(ErrorCode::kUsage, "unknown command '%s': expected one of %s", name.c_str(),
                    names.c_str());
}

}  // namespace

std::string subcommand_usage(const char* program, std::span<const Subcommand> commands) {
  std::string text = "Usage:\n";
  for (const Subcommand& command : commands)
    text += std::string("  ") + program + " " + command.name + " " + command.arguments + "\n";
  return text;
}

Status run_subcommand(CommandLine& line, std::span<const Subcommand> commands, int argc,
                      const char* const* argv) {
  namespace po = boost::program_options;
  line.group("Command")("command", po::value<std::string>(),
                        "one of the commands above (no option name needed)")(
      "file", po::value<std::vector<std::string>>()->default_value({}, ""),
      "its files (no option name needed)");
  line.positional("command", 1);
  line.positional("file", -1);
  BANKAI_ASSIGN_OR_RETURN(const bool go_on, line.parse(argc, argv));
  if (!go_on) return {};
  if (!line.has("command")) return make_error(ErrorCode::kUsage, "no command (see --help)");
  BANKAI_ASSIGN_OR_RETURN(const Subcommand* command,
                          find_command(commands, line.get<std::string>("command")));
  const auto& files = line.get<std::vector<std::string>>("file");
  if (files.size() < command->min_files || files.size() > command->max_files)
    return make_error(ErrorCode::kUsage, "expected: %s %s %s", line.program().c_str(),
                      command->name, command->arguments);
  BANKAI_RETURN_IF_ERROR(
      line.accept_only(command->name, std::string(command->options) + " command file"));
  return command->run(line, files);
}

}  // namespace bankai::cli
