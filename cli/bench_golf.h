// bankai-bench on parameter-golf checkpoints.
#pragma once

#include "cli/bench_options.h"
#include "cli/command_line.h"
#include "core/result.h"

namespace bankai::cli {

// Prompt processing and generation, beside the limits of the machine. Errors: kUsage for options
// that mean nothing here; those of the reader; kVerification if the kernels compute other logits
// than the scalar ones.
Status bench_golf(const CommandLine& line, const BenchOptions& options);

}  // namespace bankai::cli
