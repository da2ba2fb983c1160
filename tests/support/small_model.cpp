#include "tests/support/small_model.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/byte_writer.h"
#include "core/counter_rng.h"
#include "kernels/half.h"
#include "model/gguf_tensor.h"
#include "model/model_shape.h"
#include "model/random_blocks.h"
#include "tests/support/temp_dir.h"

namespace bankai::testing {
namespace {

using kernels::TensorType;
using model::GgufBuilder;
using model::GgufTensorSpec;

model::ModelShape whole_shape(const SmallShape& shape) {
  model::ModelShape whole;
  whole.name = shape.name;
  whole.architecture = shape.architecture;
  whole.num_layers = shape.num_layers;
  whole.embedding = shape.embedding;
  whole.feed_forward = shape.feed_forward;
  whole.num_heads = shape.num_heads;
  whole.num_kv_heads = shape.num_kv_heads;
  whole.head_dim = shape.head_dim;
  whole.vocabulary = shape.vocabulary;
  whole.tied = shape.tied;
  whole.context = shape.context;
  whole.rope_freq_base = 10000.0F;
  return whole;
}

// query, key and value of a layer follow each other: one tensor with the rows of all three.
void fuse_qkv(std::vector<GgufTensorSpec>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::size_t stem = tensors[i].name.find("attn_q.weight");
    if (stem == std::string::npos) continue;
    tensors[i].name.replace(stem, std::string::npos, "attn_qkv.weight");
    tensors[i].dims[1] += tensors[i + 1].dims[1] + tensors[i + 2].dims[1];
    const auto key = tensors.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    tensors.erase(key, key + 2);
  }
}

std::vector<GgufTensorSpec> tensors_of(const SmallShape& shape) {
  std::vector<GgufTensorSpec> tensors = model::list_tensors(whole_shape(shape), TensorType::kF32);
  if (shape.fused_qkv) fuse_qkv(tensors);
  std::size_t num_matrices = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].dims.size() == 1) continue;
    tensors[i].type = shape.types[num_matrices++ % shape.types.size()];
    if (!shape.has_scales) continue;
    const std::string stem = tensors[i].name.substr(0, tensors[i].name.rfind(".weight"));
    tensors.insert(tensors.begin() + static_cast<std::ptrdiff_t>(++i),
                   {stem + ".scale", TensorType::kF32, {1}});
  }
  shape.change_tensors(tensors);
  return tensors;
}

// +2 is a weight like others in these types, but random blocks leave it out.
bool can_hold_code_3(TensorType type) {
  return type == TensorType::kQ2_0 || type == TensorType::kPQ2_0 || type == TensorType::kTQ2_0;
}

constexpr std::uint64_t kDrawsPerBlock = 64;

// `block` counts the blocks of a tensor.
void append_codes(const model::RandomBlock& type, const CounterRng& rng, std::uint64_t block,
                  float spread, ByteWriter& out) {
  std::vector<std::byte> bytes(kernels::tensor_type_info(type.type).block_bytes);
  model::fill_random_block(type, rng, block * kDrawsPerBlock, static_cast<double>(spread), bytes);
  if (can_hold_code_3(type.type))
    bytes[type.code_offset + block % type.code_bytes] = std::byte{0xFF};
  out.write_bytes(bytes);
}

// Uniform around `mean`.
void append_number(TensorType type, const CounterRng& rng, std::uint64_t block, float mean,
                   float spread, ByteWriter& out) {
  const float value =
      mean + spread * static_cast<float>(2.0 * rng.uniform(block * kDrawsPerBlock) - 1.0);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (type == TensorType::kF32) out.write(value);
  if (type == TensorType::kF16) out.write(kernels::float_to_f16(value));
  if (type == TensorType::kBF16) out.write(static_cast<std::uint16_t>(bits >> 16U));
}

void append_tensor(const GgufTensorSpec& tensor, const CounterRng& rng, ByteWriter& out) {
  const bool is_matrix = tensor.dims.size() > 1;
  const bool is_bias = tensor.name.ends_with(".bias");
  const float mean = is_matrix || is_bias ? 0.0F : 1.0F;
  const float vector_spread = is_bias ? 1.0F : 0.2F;
  const float spread =
      is_matrix ? 1.5F / std::sqrt(static_cast<float>(tensor.dims[0])) : vector_spread;
  const std::size_t trailer = kernels::tensor_type_info(tensor.type).trailer_bytes;
  const model::RandomBlock* codes = model::find_random_block(tensor.type);
  const std::size_t end = out.size() + *model::tensor_bytes(tensor.type, tensor.dims) - trailer;
  for (std::uint64_t block = 0; out.size() < end; ++block)
    if (codes != nullptr)
      append_codes(*codes, rng, block, spread, out);
    else
      append_number(tensor.type, rng, block, mean, spread, out);
  if (trailer == 0) return;
  out.write(static_cast<float>(static_cast<double>(spread) / codes->unit_rms));  // I2_S
  out.write_zeros(trailer - sizeof(float));
}

}  // namespace

std::vector<std::byte> small_model_bytes(const SmallShape& shape) {
  constexpr std::size_t kAlignment = 32;  // where a file names no other
  GgufBuilder builder;
  model::add_hyperparameters(builder, whole_shape(shape));
  shape.add_metadata(builder);
  model::add_tokenizer(builder,
                       shape.tokenizer_tokens > 0 ? shape.tokenizer_tokens : shape.vocabulary);
  const std::vector<GgufTensorSpec> tensors = tensors_of(shape);
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

std::shared_ptr<const model::Model> model_of_bytes(std::vector<std::byte> bytes,
                                                   const model::LoadOptions& options) {
  struct Owner {
    std::vector<std::byte> bytes;
    std::unique_ptr<model::Model> model;
  };
  const auto owner = std::make_shared<Owner>();
  owner->bytes = std::move(bytes);
  auto file = model::GgufFile::parse(owner->bytes, "small.gguf");
  if (!file.ok()) throw std::runtime_error(file.error().message);
  auto loaded = model::Model::from_file(std::move(file).value(), options);
  if (!loaded.ok()) throw std::runtime_error(loaded.error().message);
  owner->model = std::move(loaded).value();
  return {owner, owner->model.get()};
}

std::shared_ptr<const model::Model> make_small_model(const SmallShape& shape,
                                                     const model::LoadOptions& options) {
  return model_of_bytes(small_model_bytes(shape), options);
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
