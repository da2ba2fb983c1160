// The options of strictly binary models (docs/binary_models.md), for all programs that run them:
// what their files leave open.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "core/result.h"
#include "model/binary_transformer.h"

namespace bankai::cli {

// Their long names, as for CommandLine::accept_only.
inline constexpr const char* kBinaryOptions = "tie score threshold logit-scale";

// Declares them.
void add_binary_options(CommandLine& line);

// Errors: kUsage for values that there are not, and those of the reader; kBadInput if an
// interrupted in-place edit has left the file half changed.
Result<double> read_logit_scale(const CommandLine& line, const model::BinaryShape& shape);
Result<model::BinaryModel> load_binary_model(const CommandLine& line, const std::string& path,
                                             int threads);
Result<model::BinaryOptions> read_binary_options(const CommandLine& line, int threads);

}  // namespace bankai::cli
