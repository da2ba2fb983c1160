// bankai-infer on parameter-golf models: checkpoints of torch.save dictionaries with a
// SentencePiece vocabulary beside them.
#pragma once

#include "cli/command_line.h"
#include "cli/infer_options.h"
#include "core/result.h"

namespace bankai::cli {

// Declares --tokenizer, --alpha, --golf and --chunks.
void add_golf_options(CommandLine& line);

// Bits per byte, token ids, or the logits of a prompt. Errors: kUsage for a job that these models
// do not have, and those of the reader.
Status infer_golf(const CommandLine& line, const InferOptions& options);

}  // namespace bankai::cli
