// bankai-bench on binary models with a float residual (bankai-binary files, or random ones).
#pragma once

#include "cli/bench_options.h"
#include "cli/command_line.h"
#include "core/result.h"

namespace bankai::cli {

// Prompt processing, generation beside the read bandwidth, and the exact evaluation of flips.
// Errors: kUsage for options that mean nothing here; those of the reader; kVerification if the
// kernels compute other logits than the scalar ones, or flips other scores than plain passes.
Status bench_residual(const CommandLine& line, const BenchOptions& options);

}  // namespace bankai::cli
