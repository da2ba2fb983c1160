// Conversion of other model files to GGUF: a Hugging Face folder (config.json, tokenizer.json,
// safetensors, MLX's 1-bit words among them) or a GGUF file (or a pack of one) whose matrices are
// encoded anew. Memory is a few rows per thread; pages of the input that were read are handed back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "kernels/i2_s_layouts.h"
#include "packer/block_encoder.h"

namespace bankai::packer {

struct ImportOptions {
  // Of the matrices. Vectors stay F32, as every reader expects them.
  BlockEncoding encoding;
  // In its place every matrix of a checkpoint keeps the type that it has there; F8_E4M3 becomes
  // F16, which holds its numbers, MLX's words become Q1_0, packed trits TQ2_0 (or Q2_0).
  bool keeps_types = false;
  // Of the token embedding and the head; nothing: Q8_0 where float ones would become 1-bit or
  // ternary, else the matrices' own.
  std::optional<kernels::TensorType> embedding_type;
  std::string pre_tokenizer;                                     // empty: found from tokenizer.json
  kernels::I2sLayout i2s_layout = kernels::I2sLayout::kRuns128;  // of I2_S tensors that are read
  int threads = 1;
  // Called with the bytes that were read and those of all tensors, and a tensor's name.
  std::function<void(std::uint64_t done, std::uint64_t total, const std::string& name)> progress;
};

struct ImportReport {
  std::string architecture;
  std::uint64_t tensors = 0;
  std::uint64_t encoded = 0;  // the others were copied
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;  // of the tensors
  bool is_lossless = true;         // every tensor was copied
};

// Errors name the input file: kIo; kBadInput; kUnsupported (a family, tensor or tokenizer without
// an equivalent in GGUF, MLX words that are not symmetric when Q1_0 is asked for); kUsage (a type
// whose blocks do not divide the rows).
Result<ImportReport> convert_model(const std::string& input, const std::string& output,
                                   Overwrite overwrite, const ImportOptions& options);

// Is this a folder of the kind above (and not a file that `pack` can read)?
bool is_checkpoint_folder(const std::string& path);

}  // namespace bankai::packer
