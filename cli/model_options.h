// The options about a model that several programs have.
#pragma once

#include "cli/command_line.h"
#include "core/result.h"
#include "kernels/matmul.h"
#include "model/model.h"

namespace bankai::cli {

// Declares --i2s-layout.
void add_model_options(CommandLine& line);

// How to load the model: what add_model_options declares, and the threads. Errors: kUsage.
Result<model::LoadOptions> read_load_options(const CommandLine& line, int threads);

// The value of an option as --activations, "a8" or "a16". Errors: kUsage.
Result<kernels::ActivationMode> read_activation_mode(const CommandLine& line,
                                                     const char* option = "activations");

}  // namespace bankai::cli
