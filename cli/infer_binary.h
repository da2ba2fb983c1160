// bankai-infer on binary models: BIT1 files, and GGUF files of the architecture "bankai-binary".
#pragma once

#include "cli/command_line.h"
#include "cli/infer_options.h"
#include "cli/model_kind.h"
#include "core/result.h"

namespace bankai::cli {

// Continues a prompt, writes its logits, or measures bits per character. Errors: kUsage for a job
// that these models do not have, and those of the reader. REQUIRES: kBit1 or kBinaryResidual.
Status infer_binary(const CommandLine& line, const InferOptions& options, ModelKind kind);

}  // namespace bankai::cli
