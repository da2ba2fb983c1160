#include "model/model_shape.h"

#include <array>
#include <string>
#include <utility>

#include "model/architecture.h"
#include "model/synthetic_vocabulary.h"
#include "model/tensor_names.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

constexpr std::uint32_t kQwenVocabulary = 151669;

constexpr std::array<ModelShape, 4> kShapes = {{
    {"0.6b", 28, 1024, 3072, 16, 8, 128, kQwenVocabulary, true, 32768},
    {"1.7b", 28, 2048, 6144, 16, 8, 128, kQwenVocabulary, true, 32768, 1e6F, 4.0F, 8192},
    {"4b", 36, 2560, 9728, 32, 8, 128, kQwenVocabulary, true, 32768},
    {"8b", 36, 4096, 12288, 32, 8, 128, kQwenVocabulary, false, 65536, 1e6F, 4.0F, 16384},
}};

}  // namespace

std::span<const ModelShape> model_shapes() { return kShapes; }

const ModelShape* find_shape(std::string_view name) {
  for (const ModelShape& shape : kShapes)
    if (shape.name == name) return &shape;
  return nullptr;
}

void add_hyperparameters(GgufBuilder& builder, const ModelShape& shape) {
  const auto key = [&shape](const char* name) {
    return std::string(shape.architecture) + "." + name;
  };
  builder.add_string("general.architecture", shape.architecture);
  builder.add_string("general.name", "random-" + std::string(shape.name));
  const std::pair<const char*, std::uint32_t> counts[] = {
      {"block_count", shape.num_layers},         {"context_length", shape.context},
      {"embedding_length", shape.embedding},     {"feed_forward_length", shape.feed_forward},
      {"attention.head_count", shape.num_heads}, {"attention.head_count_kv", shape.num_kv_heads},
      {"attention.key_length", shape.head_dim},  {"attention.value_length", shape.head_dim},
      {"vocab_size", shape.vocabulary},
  };
  for (const auto& [name, count] : counts) builder.add<std::uint32_t>(key(name), count);
  builder.add<float>(key("attention.layer_norm_rms_epsilon"), 1e-6F);
  builder.add<float>(key("rope.freq_base"), shape.rope_freq_base);
  if (shape.yarn_factor > 0.0F) {
    builder.add_string(key("rope.scaling.type"), "yarn");
    builder.add<float>(key("rope.scaling.factor"), shape.yarn_factor);
    builder.add<std::uint32_t>(key("rope.scaling.original_context_length"),
                               shape.yarn_original_context);
  }
}

void add_tokenizer(GgufBuilder& builder, std::uint32_t num_tokens) {
  const SyntheticVocabulary vocabulary = make_synthetic_vocabulary(num_tokens);
  builder.add_string("tokenizer.ggml.model", "gpt2");
  builder.add_string("tokenizer.ggml.pre", "qwen2");
  builder.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  builder.add_array<std::int32_t>("tokenizer.ggml.token_type", vocabulary.types);
  builder.add_strings("tokenizer.ggml.merges", vocabulary.merges);
  builder.add<std::uint32_t>("tokenizer.ggml.eos_token_id", vocabulary.eos_id);
  builder.add<std::uint32_t>("tokenizer.ggml.padding_token_id", vocabulary.padding_id);
}

std::vector<GgufTensorSpec> list_tensors(const ModelShape& shape, TensorType type) {
  const Architecture& architecture = *find_architecture(shape.architecture);
  std::vector<GgufTensorSpec> tensors;
  const auto add_matrix = [&tensors, type](TensorAddress address, std::uint64_t cols,
                                           std::uint64_t rows) {
    tensors.push_back({gguf_tensor_name(address), type, {cols, rows}});
  };
  const auto add_vector = [&tensors](const std::string& name, std::uint64_t cols) {
    tensors.push_back({name, TensorType::kF32, {cols}});
  };
  const auto add_norm = [&add_vector](const std::string& name, std::uint64_t cols) {
    add_vector(name + ".weight", cols);
  };
  const std::uint64_t query = std::uint64_t{shape.num_heads} * shape.head_dim;
  const std::uint64_t kv = std::uint64_t{shape.num_kv_heads} * shape.head_dim;
  add_matrix({0, Projection::kEmbedding}, shape.embedding, shape.vocabulary);
  add_norm("output_norm", shape.embedding);
  if (!shape.tied) add_matrix({0, Projection::kHead}, shape.embedding, shape.vocabulary);
  for (std::uint32_t layer = 0; layer < shape.num_layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    add_norm(block + "attn_norm", shape.embedding);
    if (architecture.has_qk_norm) {
      add_norm(block + "attn_q_norm", shape.head_dim);
      add_norm(block + "attn_k_norm", shape.head_dim);
    }
    if (architecture.has_sub_norms) {
      add_norm(block + "attn_sub_norm", query);
      add_norm(block + "ffn_sub_norm", shape.feed_forward);
    }
    if (architecture.has_biases) {
      add_vector(block + "attn_q.bias", query);
      add_vector(block + "attn_k.bias", kv);
      add_vector(block + "attn_v.bias", kv);
    }
    add_norm(block + "ffn_norm", shape.embedding);
    add_matrix({layer, Projection::kQuery}, shape.embedding, query);
    add_matrix({layer, Projection::kKey}, shape.embedding, kv);
    add_matrix({layer, Projection::kValue}, shape.embedding, kv);
    add_matrix({layer, Projection::kOutput}, query, shape.embedding);
    add_matrix({layer, Projection::kGate}, shape.embedding, shape.feed_forward);
    add_matrix({layer, Projection::kUp}, shape.embedding, shape.feed_forward);
    add_matrix({layer, Projection::kDown}, shape.feed_forward, shape.embedding);
  }
  return tensors;
}

}  // namespace bankai::model
