// What the config.json of a Hugging Face checkpoint says of a decoder, in the terms of GGUF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "packer/bitnet_words.h"

namespace bankai::packer {

// How a family of checkpoints becomes an architecture of GGUF.
struct HfFamily {
  std::string_view model_type;    // in config.json
  std::string_view hidden_act;    // in config.json; empty: any that is SiLU
  std::string_view architecture;  // in GGUF
  std::string_view prefix;        // of the names of all tensors but the head
  bool has_qk_norm;
  bool has_sub_norms;
  bool has_biases;  // of query, key and value
  // GGUF's architecture rotates the pairs (2i, 2i + 1), the checkpoint (i, i + half): the rows of
  // query and key change places.
  bool interleaves_rows;
};

struct HfConfig {
  HfFamily family;
  std::string name;  // of the model: the folder's, unless the file has one
  std::uint64_t num_layers = 0;
  std::uint64_t embedding = 0;
  std::uint64_t feed_forward = 0;
  std::uint64_t num_heads = 0;
  std::uint64_t num_kv_heads = 0;
  std::uint64_t head_dim = 0;
  std::uint64_t vocabulary = 0;
  std::uint64_t context = 0;
  double rms_epsilon = 1e-6;
  double rope_theta = 10000.0;
  bool tied = false;  // the head is the embedding
  // Rotary scaling: "" (none), "linear", "yarn" or "llama3".
  std::string rope_scaling;
  double rope_factor = 1.0;
  std::uint64_t rope_original_context = 0;  // 0: not said
  std::optional<double> rope_attention_factor;
  std::optional<double> rope_beta_fast;
  std::optional<double> rope_beta_slow;
  double rope_low_frequency = 1.0;  // llama3: rotations over the original context between which …
  double rope_high_frequency = 4.0;  // … interpolation fades out
  // Group-wise integers as MLX stores them; 0: none.
  std::uint64_t quantised_bits = 0;
  std::uint64_t quantised_group = 0;
  std::optional<BitnetScale> bitnet_scale;  // of packed ternary matrices, where there may be such
  std::optional<std::uint64_t> bos;
  std::optional<std::uint64_t> eos;
};

// FOLDER/config.json. Errors name the file: kIo; kBadInput (missing, zero, absurd or contradictory
// numbers); kUnsupported (another family, a rotation, window or quantisation that GGUF's
// architecture does not have).
Result<HfConfig> read_hf_config(const std::string& folder);

// The family that an architecture of GGUF is written as; nullptr if there is none.
const HfFamily* find_hf_family(std::string_view architecture);

}  // namespace bankai::packer
