// bankai-infer on parameter-golf models: checkpoints of torch.save dictionaries with a
// SentencePiece vocabulary beside them.
#pragma once

#include "cli/command_line.h"
#include "cli/infer_options.h"
#include "core/result.h"

namespace bankai::cli {

// Declares --tokenizer and the rules of golf_opening.h.
void add_golf_options(CommandLine& line);

// Continues a prompt, writes its logits, measures bits per byte or divergence, or prints token ids.
// Errors: kUsage for a job that these models do not have, and those of the reader.
Status infer_golf(const CommandLine& line, const InferOptions& options);

}  // namespace bankai::cli
