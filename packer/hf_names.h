// How Hugging Face checkpoints and GGUF name the tensors of a layer: one list for both directions.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/tensor_address.h"

namespace bankai::packer {

// "<prefix>layers.N.<hf>.weight" is the matrix of a projection.
struct HfMatrixName {
  std::string_view hf;
  Projection projection;
};
inline constexpr std::array<HfMatrixName, 7> kHfMatrices = {{
    {"self_attn.q_proj", Projection::kQuery},
    {"self_attn.k_proj", Projection::kKey},
    {"self_attn.v_proj", Projection::kValue},
    {"self_attn.o_proj", Projection::kOutput},
    {"mlp.gate_proj", Projection::kGate},
    {"mlp.up_proj", Projection::kUp},
    {"mlp.down_proj", Projection::kDown},
}};

// "<prefix>layers.N.<hf>.weight" is "blk.N.<gguf>.weight", a norm.
struct HfVectorName {
  std::string_view hf;
  std::string_view older;  // another name of it in older checkpoints, or nothing
  std::string_view gguf;
};
inline constexpr std::array<HfVectorName, 6> kHfVectors = {{
    {"input_layernorm", "", "attn_norm"},
    {"self_attn.q_norm", "", "attn_q_norm"},
    {"self_attn.k_norm", "", "attn_k_norm"},
    {"self_attn.attn_sub_norm", "self_attn.inner_attn_ln", "attn_sub_norm"},
    {"mlp.ffn_sub_norm", "mlp.ffn_layernorm", "ffn_sub_norm"},
    {"post_attention_layernorm", "", "ffn_norm"},
}};

inline constexpr std::string_view kHfEmbedding = "embed_tokens";  // behind the prefix
inline constexpr std::string_view kHfNorm = "norm";               // behind the prefix
inline constexpr std::string_view kHfHead = "lm_head";

// Architectures that rotate neighbours keep a head's rows 2i + c where checkpoints that rotate
// halves keep row c · half + i. The checkpoint's row of GGUF's row:
constexpr std::size_t halves_row(std::size_t row, std::size_t head_dim) {
  const std::size_t j = row % head_dim;
  return row - j + j % 2 * (head_dim / 2) + j / 2;
}
// GGUF's row of the checkpoint's.
constexpr std::size_t neighbours_row(std::size_t row, std::size_t head_dim) {
  const std::size_t j = row % head_dim;
  return row - j + j % (head_dim / 2) * 2 + j / (head_dim / 2);
}

}  // namespace bankai::packer
