// bankai-infer on binary models: BIT1 files, and GGUF files of the architecture "bankai-binary".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/command_line.h"
#include "cli/infer_options.h"
#include "core/result.h"

namespace bankai::cli {

enum class BinaryKind : std::uint8_t {
  kStrict,    // BIT1
  kResidual,  // with a float residual
};

// Declares --tie, --score, --threshold and --logit-scale.
void add_binary_options(CommandLine& line);

// By the file's content; nothing for other models and for a file that cannot be read.
std::optional<BinaryKind> binary_kind(const std::string& path);

// Continues a prompt, writes its logits, or measures bits per character. Errors: kUsage for a job
// that these models do not have, and those of the reader.
Status infer_binary(const CommandLine& line, const InferOptions& options, BinaryKind kind);

}  // namespace bankai::cli
