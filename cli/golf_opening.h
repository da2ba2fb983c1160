// Parameter-golf checkpoints, opened the same way by every program that runs them.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "core/result.h"
#include "model/golf_model.h"

namespace bankai::cli {

// The names of the options below, as for CommandLine::accept_only.
inline constexpr const char* kGolfRules = "alpha golf";

// Declares --alpha and --golf; more options of the group may follow.
boost::program_options::options_description_easy_init add_golf_rules(CommandLine& line);

// The model with the rules that these options set. Errors: kUsage; kUnsupported for a file that is
// no such checkpoint by its first bytes; those of the reader.
Result<model::GolfModel> open_golf_model(const CommandLine& line, const std::string& path);

// The precision of what goes into the blocks' matrices, for reports.
const char* golf_activations_text(const model::GolfParameters& parameters);

}  // namespace bankai::cli
