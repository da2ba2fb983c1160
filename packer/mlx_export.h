// Writes a GGUF model of 1-bit matrices as a checkpoint with MLX's 1-bit words: a folder of
// config.json, tokenizer.json, tokenizer_config.json and model.safetensors. Signs and scales stay
// what they are, so the way back gives the same Q1_0 blocks.
#pragma once

#include <string>

#include "core/atomic_file.h"
#include "core/result.h"
#include "packer/import.h"

namespace bankai::packer {

// The folder is made if it is not there. Errors: kIo, kUsage (a file is there already); naming the
// input: kBadInput; kUnsupported (a matrix that is neither Q1_0 nor float, a scale of which twice
// is no half, an architecture or tensor without a name among checkpoints).
Result<ImportReport> export_mlx(const std::string& input, const std::string& folder,
                                Overwrite overwrite, const ImportOptions& options);

}  // namespace bankai::packer
