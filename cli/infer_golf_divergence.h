// --kl-divergence of parameter-golf models.
#pragma once

#include <vector>

#include "cli/command_line.h"
#include "cli/infer_options.h"
#include "core/result.h"
#include "model/golf_transformer.h"

namespace bankai::cli {

// Compares `transformer` with the same model, or --reference, with keys and values in double
// precision or as --reference-kv-bits says. Errors: kUsage; those of the reader and of
// measure_golf_divergence.
Status infer_golf_divergence(const CommandLine& line, const InferOptions& options,
                             const std::vector<model::TokenId>& tokens,
                             const kernels::KernelTable& table,
                             const model::GolfTransformer& transformer);

}  // namespace bankai::cli
