#include "model/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/bit_matrix.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "model/architecture.h"
#include "model/gguf_tensor.h"
#include "model/gguf_writer.h"
#include "model/random_blocks.h"
#include "model/synthetic_vocabulary.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

constexpr std::size_t kChunkBytes = std::size_t{1} << 18U;

constexpr std::array<TensorType, 6> kWeightTypes = {TensorType::kQ1_0,  TensorType::kQ2_0,
                                                    TensorType::kPQ2_0, TensorType::kTQ1_0,
                                                    TensorType::kTQ2_0, TensorType::kQ8_0};

Status check_shape(const ModelShape& shape, TensorType type) {
  if (std::find(kWeightTypes.begin(), kWeightTypes.end(), type) == kWeightTypes.end())
    return make_error(ErrorCode::kUsage, "no random weights of type %s",
                      std::string(kernels::tensor_type_info(type).name).c_str());
  if (find_architecture(shape.architecture) == nullptr)
    return make_error(ErrorCode::kUsage, "architecture '%s', known are %s",
                      std::string(shape.architecture).c_str(), architecture_names().c_str());
  const std::size_t unit =
      std::max<std::size_t>(kGroupCols, kernels::tensor_type_info(type).block_weights);
  const std::uint64_t query = std::uint64_t{shape.num_heads} * shape.head_dim;
  const bool has_groups =
      shape.embedding % unit == 0 && shape.feed_forward % unit == 0 && query % unit == 0;
  const bool has_sizes = shape.num_layers > 0 && shape.embedding > 0 && shape.feed_forward > 0 &&
                         query > 0 && shape.context > 0;
  if (!has_sizes || !has_groups)
    return make_error(ErrorCode::kUsage,
                      "every width of a model of %s must be a positive multiple of %zu",
                      std::string(kernels::tensor_type_info(type).name).c_str(), unit);
  if (shape.num_kv_heads == 0 || shape.num_heads % shape.num_kv_heads != 0)
    return make_error(ErrorCode::kUsage, "%u heads cannot share %u key/value heads",
                      shape.num_heads, shape.num_kv_heads);
  if (shape.vocabulary < kMinSyntheticTokens || shape.vocabulary > kMaxSyntheticTokens)
    return make_error(ErrorCode::kUsage, "a vocabulary of %u, expected %zu to %zu",
                      shape.vocabulary, kMinSyntheticTokens, kMaxSyntheticTokens);
  return {};
}

// Blocks of random codes. A size of 1 / sqrt(columns) keeps the size of activations: an output is
// a sum of `columns` terms of that size with random signs.
Status write_matrix(const RandomBlock& type, const CounterRng& rng, std::uint64_t cols,
                    GgufTensorSink& sink, const std::function<void(std::uint64_t)>& advance) {
  const double rms = 1.0 / std::sqrt(static_cast<double>(cols));
  const std::size_t block_bytes = kernels::tensor_type_info(type.type).block_bytes;
  std::vector<std::byte> chunk(kChunkBytes / block_bytes * block_bytes);
  std::uint64_t draw = 0;
  while (sink.remaining() > 0) {
    const auto part = std::span(chunk).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(sink.remaining(), chunk.size())));
    for (std::size_t at = 0; at < part.size(); at += block_bytes, draw += type.num_draws())
      fill_random_block(type, rng, draw, rms, part.subspan(at, block_bytes));
    BANKAI_RETURN_IF_ERROR(sink.write(part));
    advance(part.size());
  }
  return {};
}

// Around `middle`: 1 for a norm, 0 for a bias.
Status write_vector(const CounterRng& rng, double middle, std::uint64_t cols,
                    GgufTensorSink& sink) {
  std::vector<float> weights(static_cast<std::size_t>(cols));
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(middle - 0.05 + 0.1 * rng.uniform(i));
  return sink.write(std::as_bytes(std::span(weights)));
}

}  // namespace

std::span<const TensorType> random_weight_types() { return kWeightTypes; }

Status write_random_model(const ModelShape& shape, TensorType type, std::uint64_t seed,
                          const std::string& path, Overwrite overwrite,
                          const WriteProgress& progress) {
  BANKAI_RETURN_IF_ERROR(check_shape(shape, type));
  GgufBuilder builder;
  add_hyperparameters(builder, shape);
  add_tokenizer(builder, shape.vocabulary);
  builder.add<bool>("tokenizer.ggml.add_bos_token", false);
  const std::vector<GgufTensorSpec> tensors = list_tensors(shape, type);
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
    if (const RandomBlock* block = find_random_block(tensors[i].type))
      return write_matrix(*block, rng, cols, sink, advance);
    advance(sink.remaining());
    return write_vector(rng, tensors[i].name.ends_with(".bias") ? 0.0 : 1.0, cols, sink);
  });
}

}  // namespace bankai::model
