// Shapes of models that are made up, not read: what keys, vocabulary and tensors such a file has.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"

namespace bankai::model {

// The fields are those of Hyperparameters.
struct ModelShape {
  std::string_view name;
  std::uint32_t num_layers = 0;
  std::uint32_t embedding = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t num_heads = 0;
  std::uint32_t num_kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t vocabulary = 0;
  bool tied = true;  // the head is the token embedding
  std::uint32_t context = 0;
  float rope_freq_base = 1e6F;
  float yarn_factor = 0.0F;  // 0: no YaRN
  std::uint32_t yarn_original_context = 0;
  std::string_view architecture = "qwen3";  // one of kArchitectures
};

// The shapes of the published 1-bit models (and of Qwen3-0.6B): 0.6b, 1.7b, 4b, 8b.
std::span<const ModelShape> model_shapes();
// nullptr for a name that is not in the list.
const ModelShape* find_shape(std::string_view name);

// general.architecture and the keys under its name.
void add_hyperparameters(GgufBuilder& builder, const ModelShape& shape);
// A synthetic vocabulary of `num_tokens` (synthetic_vocabulary.h has the limits).
void add_tokenizer(GgufBuilder& builder, std::uint32_t num_tokens);
// All tensors: matrices, with two dimensions, of the given type, and norms and biases, with one,
// F32.
std::vector<GgufTensorSpec> list_tensors(const ModelShape& shape, kernels::TensorType type);

}  // namespace bankai::model
