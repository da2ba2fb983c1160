// bankai-bench on strictly binary models (BIT1 files, or random ones of their shapes).
#pragma once

#include "cli/bench_options.h"
#include "cli/command_line.h"
#include "core/result.h"

namespace bankai::cli {

// Prompt processing and generation, beside the read bandwidth and the speed of the same kernels on
// weights that stay in the first cache; and the exact evaluation of flips, beside plain passes.
// Errors: kUsage for options that mean nothing here; those of the reader; kVerification if the
// kernels compute other logits than the scalar ones, or flips have other scores than plain passes.
Status bench_binary(const CommandLine& line, const BenchOptions& options);

}  // namespace bankai::cli
