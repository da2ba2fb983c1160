#include "tests/support/small_model.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "core/byte_writer.h"
#include "core/counter_rng.h"
#include "kernels/half.h"
#include "model/gguf_tensor.h"
#include "model/synthetic_vocabulary.h"
#include "model/tensor_names.h"
#include "tests/support/temp_dir.h"

namespace bankai::testing {
namespace {

using kernels::TensorType;
using model::GgufBuilder;
using model::GgufTensorSpec;

void add_numbers(GgufBuilder& builder, const SmallShape& shape) {
  builder.add_string("general.architecture", "qwen3");
  const std::pair<const char*, std::uint32_t> counts[] = {
      {"qwen3.block_count", shape.num_layers},
      {"qwen3.context_length", shape.context},
      {"qwen3.embedding_length", shape.embedding},
      {"qwen3.feed_forward_length", shape.feed_forward},
      {"qwen3.attention.head_count", shape.num_heads},
      {"qwen3.attention.head_count_kv", shape.num_kv_heads},
      {"qwen3.attention.key_length", shape.head_dim},
      {"qwen3.attention.value_length", shape.head_dim},
  };
  for (const auto& [key, count] : counts) builder.add<std::uint32_t>(key, count);
  builder.add<float>("qwen3.attention.layer_norm_rms_epsilon", 1e-6F);
  builder.add<float>("qwen3.rope.freq_base", 10000.0F);
  shape.add_metadata(builder);
}

void add_tokenizer(GgufBuilder& builder, const SmallShape& shape) {
  const std::uint32_t tokens =
      shape.tokenizer_tokens > 0 ? shape.tokenizer_tokens : shape.vocabulary;
  const model::SyntheticVocabulary vocabulary = model::make_synthetic_vocabulary(tokens);
  builder.add_string("tokenizer.ggml.model", "gpt2");
  builder.add_string("tokenizer.ggml.pre", "qwen2");
  builder.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  builder.add_array<std::int32_t>("tokenizer.ggml.token_type", vocabulary.types);
  builder.add_strings("tokenizer.ggml.merges", vocabulary.merges);
  builder.add<std::uint32_t>("tokenizer.ggml.eos_token_id", vocabulary.eos_id);
}

std::vector<GgufTensorSpec> list_tensors(const SmallShape& shape) {
  std::vector<GgufTensorSpec> tensors;
  std::size_t num_matrices = 0;
  const auto add_named = [&](const std::string& name, std::uint64_t cols, std::uint64_t rows) {
    tensors.push_back({name, shape.types[num_matrices++ % shape.types.size()], {cols, rows}});
  };
  const auto add_matrix = [&](TensorAddress address, std::uint64_t cols, std::uint64_t rows) {
    add_named(model::gguf_tensor_name(address), cols, rows);
  };
  const auto add_norm = [&](const std::string& name, std::uint64_t cols) {
    tensors.push_back({name + ".weight", TensorType::kF32, {cols}});
  };
  const std::uint64_t query = std::uint64_t{shape.num_heads} * shape.head_dim;
  const std::uint64_t kv = std::uint64_t{shape.num_kv_heads} * shape.head_dim;
  add_matrix({0, Projection::kEmbedding}, shape.embedding, shape.vocabulary);
  add_norm("output_norm", shape.embedding);
  if (!shape.tied) add_matrix({0, Projection::kHead}, shape.embedding, shape.vocabulary);
  for (std::uint32_t layer = 0; layer < shape.num_layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    add_norm(block + "attn_norm", shape.embedding);
    add_norm(block + "attn_q_norm", shape.head_dim);
    add_norm(block + "attn_k_norm", shape.head_dim);
    add_norm(block + "ffn_norm", shape.embedding);
    if (shape.fused_qkv) {
      add_named(block + "attn_qkv.weight", shape.embedding, query + 2 * kv);
    } else {
      add_matrix({layer, Projection::kQuery}, shape.embedding, query);
      add_matrix({layer, Projection::kKey}, shape.embedding, kv);
      add_matrix({layer, Projection::kValue}, shape.embedding, kv);
    }
    add_matrix({layer, Projection::kOutput}, query, shape.embedding);
    add_matrix({layer, Projection::kGate}, shape.embedding, shape.feed_forward);
    add_matrix({layer, Projection::kUp}, shape.embedding, shape.feed_forward);
    add_matrix({layer, Projection::kDown}, shape.feed_forward, shape.embedding);
  }
  shape.change_tensors(tensors);
  return tensors;
}

// Uniform around `mean`; `block` counts the blocks of a tensor.
void append_block(TensorType type, const CounterRng& rng, std::uint64_t block, float mean,
                  float spread, ByteWriter& out) {
  constexpr std::uint64_t kDrawsPerBlock = 64;
  const std::uint64_t first = block * kDrawsPerBlock;
  const float value = mean + spread * static_cast<float>(2.0 * rng.uniform(first) - 1.0);
  const std::uint16_t scale =
      kernels::float_to_f16(spread * static_cast<float>(0.75 + 0.5 * rng.uniform(first)));
  switch (type) {
    case TensorType::kF32: out.write(value); break;
    case TensorType::kF16: out.write(kernels::float_to_f16(value)); break;
    case TensorType::kBF16: {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      out.write(static_cast<std::uint16_t>(bits >> 16U));
      break;
    }
    case TensorType::kQ8_0:
      out.write(kernels::float_to_f16(spread / 127.0F));
      for (std::uint64_t i = 0; i < 32; ++i)
        out.write(static_cast<std::int8_t>(static_cast<int>(rng.below(first + 1 + i, 255)) - 127));
      break;
    case TensorType::kQ1_0:
      out.write(scale);
      out.write(rng.bits(first + 1));
      out.write(rng.bits(first + 2));
      break;
  }
}

void append_tensor(const GgufTensorSpec& tensor, const CounterRng& rng, ByteWriter& out) {
  const bool is_norm = tensor.dims.size() == 1;
  const float mean = is_norm ? 1.0F : 0.0F;
  const float spread = is_norm ? 0.2F : 1.5F / std::sqrt(static_cast<float>(tensor.dims[0]));
  const std::size_t end = out.size() + *model::tensor_bytes(tensor.type, tensor.dims);
  for (std::uint64_t block = 0; out.size() < end; ++block)
    append_block(tensor.type, rng, block, mean, spread, out);
}

}  // namespace

std::vector<std::byte> small_model_bytes(const SmallShape& shape) {
  constexpr std::size_t kAlignment = 32;  // where a file names no other
  GgufBuilder builder;
  add_numbers(builder, shape);
  add_tokenizer(builder, shape);
  const std::vector<GgufTensorSpec> tensors = list_tensors(shape);
  for (const GgufTensorSpec& tensor : tensors) builder.add_tensor(tensor);
  const auto header = builder.header();
  if (!header.ok()) throw std::runtime_error(header.error().message);
  ByteWriter file;
  file.write_bytes(*header);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    append_tensor(tensors[i], CounterRng(shape.seed, i), file);
    file.write_zeros((kAlignment - file.size() % kAlignment) % kAlignment);
  }
  return std::move(file).bytes();
}

std::shared_ptr<const model::Model> model_of_bytes(std::vector<std::byte> bytes) {
  struct Owner {
    std::vector<std::byte> bytes;
    std::unique_ptr<model::Model> model;
  };
  const auto owner = std::make_shared<Owner>();
  owner->bytes = std::move(bytes);
  auto file = model::GgufFile::parse(owner->bytes, "small.gguf");
  if (!file.ok()) throw std::runtime_error(file.error().message);
  auto loaded = model::Model::from_file(std::move(file).value());
  if (!loaded.ok()) throw std::runtime_error(loaded.error().message);
  owner->model = std::move(loaded).value();
  return {owner, owner->model.get()};
}

std::shared_ptr<const model::Model> make_small_model(const SmallShape& shape) {
  return model_of_bytes(small_model_bytes(shape));
}

std::vector<model::TokenId> random_tokens(std::size_t count, std::size_t vocabulary,
                                          std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<model::TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<model::TokenId>(rng.below(i, vocabulary)));
  return tokens;
}

const model::Model& demo_model() {
  static const std::unique_ptr<model::Model> model = [] {
    auto loaded = model::Model::load(data_path("demo/bankai-demo-5m.gguf"));
    if (!loaded.ok()) throw std::runtime_error(loaded.error().message);
    return std::move(loaded).value();
  }();
  return *model;
}

}  // namespace bankai::testing
