#include "model/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "core/bit_matrix.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "kernels/half.h"
#include "model/gguf_tensor.h"
#include "model/gguf_writer.h"
#include "model/synthetic_vocabulary.h"
#include "model/tensor_names.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

constexpr std::uint32_t kQwenVocabulary = 151669;
constexpr std::uint32_t kFileTypeQ1_0 = 40;
constexpr std::size_t kBlockBytes = kernels::tensor_type_info(TensorType::kQ1_0).block_bytes;
constexpr std::size_t kChunkBlocks = 1U << 14U;

constexpr std::array<ModelShape, 4> kShapes = {{
    {"0.6b", 28, 1024, 3072, 16, 8, 128, kQwenVocabulary, true, 32768},
    {"1.7b", 28, 2048, 6144, 16, 8, 128, kQwenVocabulary, true, 32768, 1e6F, 4.0F, 8192},
    {"4b", 36, 2560, 9728, 32, 8, 128, kQwenVocabulary, true, 32768},
    {"8b", 36, 4096, 12288, 32, 8, 128, kQwenVocabulary, false, 65536, 1e6F, 4.0F, 16384},
}};

Status check_shape(const ModelShape& shape) {
  const std::uint64_t query = std::uint64_t{shape.num_heads} * shape.head_dim;
  const bool has_groups = shape.embedding % kGroupCols == 0 &&
                          shape.feed_forward % kGroupCols == 0 && query % kGroupCols == 0;
  const bool has_sizes = shape.num_layers > 0 && shape.embedding > 0 && shape.feed_forward > 0 &&
                         query > 0 && shape.context > 0;
  if (!has_sizes || !has_groups)
    return make_error(ErrorCode::kUsage,
                      "every width of a 1-bit model must be a positive multiple of %zu",
                      kGroupCols);
  if (shape.num_kv_heads == 0 || shape.num_heads % shape.num_kv_heads != 0)
    return make_error(ErrorCode::kUsage, "%u heads cannot share %u key/value heads",
                      shape.num_heads, shape.num_kv_heads);
  if (shape.vocabulary < kMinSyntheticTokens || shape.vocabulary > kMaxSyntheticTokens)
    return make_error(ErrorCode::kUsage, "a vocabulary of %u, expected %zu to %zu",
                      shape.vocabulary, kMinSyntheticTokens, kMaxSyntheticTokens);
  return {};
}

void add_hyperparameters(GgufBuilder& builder, const ModelShape& shape) {
  builder.add_string("general.architecture", "qwen3");
  builder.add_string("general.name", "random-" + std::string(shape.name));
  builder.add<std::uint32_t>("general.file_type", kFileTypeQ1_0);
  const std::pair<const char*, std::uint32_t> counts[] = {
      {"qwen3.block_count", shape.num_layers},
      {"qwen3.context_length", shape.context},
      {"qwen3.embedding_length", shape.embedding},
      {"qwen3.feed_forward_length", shape.feed_forward},
      {"qwen3.attention.head_count", shape.num_heads},
      {"qwen3.attention.head_count_kv", shape.num_kv_heads},
      {"qwen3.attention.key_length", shape.head_dim},
      {"qwen3.attention.value_length", shape.head_dim},
      {"qwen3.vocab_size", shape.vocabulary},
  };
  for (const auto& [key, count] : counts) builder.add<std::uint32_t>(key, count);
  builder.add<float>("qwen3.attention.layer_norm_rms_epsilon", 1e-6F);
  builder.add<float>("qwen3.rope.freq_base", shape.rope_freq_base);
  if (shape.yarn_factor > 0.0F) {
    builder.add_string("qwen3.rope.scaling.type", "yarn");
    builder.add<float>("qwen3.rope.scaling.factor", shape.yarn_factor);
    builder.add<std::uint32_t>("qwen3.rope.scaling.original_context_length",
                               shape.yarn_original_context);
  }
}

void add_tokenizer(GgufBuilder& builder, const ModelShape& shape) {
  const SyntheticVocabulary vocabulary = make_synthetic_vocabulary(shape.vocabulary);
  builder.add_string("tokenizer.ggml.model", "gpt2");
  builder.add_string("tokenizer.ggml.pre", "qwen2");
  builder.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  builder.add_array<std::int32_t>("tokenizer.ggml.token_type", vocabulary.types);
  builder.add_strings("tokenizer.ggml.merges", vocabulary.merges);
  builder.add<std::uint32_t>("tokenizer.ggml.eos_token_id", vocabulary.eos_id);
  builder.add<std::uint32_t>("tokenizer.ggml.padding_token_id", vocabulary.padding_id);
  builder.add<bool>("tokenizer.ggml.add_bos_token", false);
}

std::vector<GgufTensorSpec> list_tensors(const ModelShape& shape) {
  std::vector<GgufTensorSpec> tensors;
  const auto add_matrix = [&tensors](TensorAddress address, std::uint64_t cols,
                                     std::uint64_t rows) {
    tensors.push_back({gguf_tensor_name(address), TensorType::kQ1_0, {cols, rows}});
  };
  const auto add_norm = [&tensors](const std::string& name, std::uint64_t cols) {
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

// Blocks of random bits. A scale of 1 / sqrt(columns) keeps the size of activations: an output is
// a sum of `columns` terms of that size with random signs.
Status write_matrix(const CounterRng& rng, std::uint64_t cols, GgufTensorSink& sink,
                    const std::function<void(std::uint64_t)>& advance) {
  const double mean_scale = 1.0 / std::sqrt(static_cast<double>(cols));
  std::vector<std::byte> chunk(kChunkBlocks * kBlockBytes);
  std::uint64_t index = 0;
  while (sink.remaining() > 0) {
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(sink.remaining(), chunk.size()));
    for (std::size_t at = 0; at < bytes; at += kBlockBytes, index += 3) {
      const double scale = mean_scale * (0.75 + 0.5 * rng.uniform(index));
      const std::uint16_t half = kernels::float_to_f16(static_cast<float>(scale));
      const std::array<std::uint64_t, 2> bits = {rng.bits(index + 1), rng.bits(index + 2)};
      std::memcpy(&chunk[at], &half, sizeof half);
      std::memcpy(&chunk[at + sizeof half], bits.data(), sizeof bits);
    }
    BANKAI_RETURN_IF_ERROR(sink.write(std::span(chunk).first(bytes)));
    advance(bytes);
  }
  return {};
}

Status write_norm(const CounterRng& rng, std::uint64_t cols, GgufTensorSink& sink) {
  std::vector<float> weights(static_cast<std::size_t>(cols));
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(0.95 + 0.1 * rng.uniform(i));
  return sink.write(std::as_bytes(std::span(weights)));
}

}  // namespace

std::span<const ModelShape> model_shapes() { return kShapes; }

const ModelShape* find_shape(std::string_view name) {
  for (const ModelShape& shape : kShapes)
    if (shape.name == name) return &shape;
  return nullptr;
}

Status write_random_model(const ModelShape& shape, std::uint64_t seed, const std::string& path,
                          Overwrite overwrite, const WriteProgress& progress) {
  BANKAI_RETURN_IF_ERROR(check_shape(shape));
  GgufBuilder builder;
  add_hyperparameters(builder, shape);
  add_tokenizer(builder, shape);
  const std::vector<GgufTensorSpec> tensors = list_tensors(shape);
  std::uint64_t total = 0;
  for (const GgufTensorSpec& tensor : tensors) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, tensor_bytes(tensor.type, tensor.dims));
    total += bytes;
    builder.add_tensor(tensor);
  }
  std::uint64_t written = 0;
  const auto advance = [&](std::uint64_t bytes) {
    written += bytes;
    if (progress) progress(written, total);
  };
  return builder.write(path, overwrite, [&](std::size_t i, GgufTensorSink& sink) -> Status {
    const CounterRng rng(seed, i);
    const std::uint64_t cols = tensors[i].dims[0];
    if (tensors[i].type == TensorType::kQ1_0) return write_matrix(rng, cols, sink, advance);
    advance(sink.remaining());
    return write_norm(rng, cols, sink);
  });
}

}  // namespace bankai::model
