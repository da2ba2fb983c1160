#include "kernels/matmul.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "kernels/half.h"
#include "kernels/ternary_blocks.h"

namespace bankai::kernels {
namespace {

std::uint16_t read_u16(const std::uint8_t* from) {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void widen_q1_0(const std::uint8_t* blocks, std::size_t cols, float* out) {
  for (std::size_t first = 0; first < cols; first += 128, blocks += 18) {
    const float scale = f16_to_float(read_u16(blocks));
    for (std::size_t j = 0; j < 128; ++j)
      out[first + j] = ((blocks[2 + j / 8] >> (j % 8)) & 1) != 0 ? scale : -scale;
  }
}

void widen_q8_0(const std::uint8_t* blocks, std::size_t cols, float* out) {
  for (std::size_t first = 0; first < cols; first += 32, blocks += 34) {
    const float scale = f16_to_float(read_u16(blocks));
    for (std::size_t j = 0; j < 32; ++j)
      out[first + j] = scale * static_cast<float>(static_cast<std::int8_t>(blocks[2 + j]));
  }
}

void widen_ternary(TensorType type, const std::uint8_t* blocks, std::size_t cols, float* out) {
  const TensorTypeInfo& info = tensor_type_info(type);
  std::uint8_t codes[kMaxTernaryBlock];
  for (std::size_t first = 0; first < cols; first += info.block_weights) {
    decode_ternary_block(type, blocks, codes);
    const float scale = f16_to_float(ternary_block_scale(type, blocks));
    for (std::size_t j = 0; j < info.block_weights; ++j)
      out[first + j] = static_cast<float>(static_cast<int>(codes[j]) - 1) * scale;
    blocks += info.block_bytes;
  }
}

// widen_row by the table's own conversion where that is faster.
void widen_row_by(const KernelTable& table, const WeightRows& weights, std::size_t row,
                  float* out) {
  if (weights.type != TensorType::kF16) {
    widen_row(weights, row, out);
    return;
  }
  thread_local std::vector<std::uint16_t> halves;  // a copy: file data may lie at an odd address
  halves.resize(weights.cols);
  if (weights.cols != 0)
    std::memcpy(halves.data(), weights.data + row * weights.row_bytes,
                weights.cols * sizeof(std::uint16_t));
  table.f16_to_f32(halves.data(), out, weights.cols);
}

// The product of some tokens, counted from first_token, in two planes.
void multiply_gathered(KernelTable::Gemm gemm, const Panels& weights,
                       const ActivationBlock& activations, std::size_t first_token,
                       const std::vector<std::size_t>& tokens, float* out, std::size_t out_stride) {
  thread_local std::vector<std::int8_t> high, low;
  thread_local std::vector<float> scales, products;
  const std::size_t cols = weights.cols;
  high.clear();
  low.clear();
  scales.clear();
  for (const std::size_t token : tokens) {
    const Activations one = activations.integers(first_token + token, 1);
    high.insert(high.end(), one.high, one.high + cols);
    low.insert(low.end(), one.low, one.low + cols);
    scales.insert(scales.end(), one.scales, one.scales + cols / 128);
  }
  products.resize(tokens.size() * weights.rows);
  gemm(weights, {high.data(), low.data(), scales.data(), tokens.size(), cols}, products.data(),
       weights.rows);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    std::copy_n(products.data() + i * weights.rows, weights.rows, out + tokens[i] * out_stride);
}

}  // namespace

void matmul(const KernelTable& table, const Panels& weights, const ActivationBlock& activations,
            std::size_t first_token, std::size_t num_tokens, float* out, std::size_t out_stride) {
  BANKAI_CHECK(weights.cols == activations.cols(), "weights and activations differ in columns");
  const auto gemm = table.gemm[static_cast<std::size_t>(weights.format)];
  thread_local std::vector<std::size_t> wide;
  wide.clear();
  for (std::size_t t = 0; t < num_tokens; ++t)
    if (activations.is_wide(first_token + t)) wide.push_back(t);
  // A plane more for a few tokens alone costs less than one for all.
  if (wide.empty() || 2 * wide.size() >= num_tokens) {
    gemm(weights, activations.integers(first_token, num_tokens), out, out_stride);
    return;
  }
  gemm(weights, activations.one_plane(first_token, num_tokens), out, out_stride);
  multiply_gathered(gemm, weights, activations, first_token, wide, out, out_stride);
}

// Each row is widened once and then meets every token.
void matmul_floats(const KernelTable& table, const WeightRows& weights,
                   const ActivationBlock& activations, std::size_t first_token,
                   std::size_t num_tokens, float* out, std::size_t out_stride) {
  BANKAI_CHECK(weights.cols == activations.cols(), "weights and activations differ in columns");
  thread_local std::vector<float> widened;
  if (widened.size() < weights.cols) widened.resize(weights.cols);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    widen_row_by(table, weights, row, widened.data());
    for (std::size_t t = 0; t < num_tokens; ++t)
      out[t * out_stride + row] =
          table.dot_f32(activations.floats(first_token + t), widened.data(), weights.cols);
  }
}

void widen_row(const WeightRows& weights, std::size_t row, float* out) {
  const std::uint8_t* from = weights.data + row * weights.row_bytes;
  switch (weights.type) {
    case TensorType::kF32:
      if (weights.cols != 0) std::memcpy(out, from, weights.cols * sizeof(float));
      return;
    case TensorType::kF16:
      for (std::size_t i = 0; i < weights.cols; ++i) out[i] = f16_to_float(read_u16(from + 2 * i));
      return;
    case TensorType::kBF16:
      for (std::size_t i = 0; i < weights.cols; ++i) out[i] = bf16_to_float(read_u16(from + 2 * i));
      return;
    case TensorType::kQ8_0: widen_q8_0(from, weights.cols, out); return;
    case TensorType::kQ1_0: widen_q1_0(from, weights.cols, out); return;
    default:
      BANKAI_CHECK(is_ternary(weights.type), "rows of this type cannot be widened");
      widen_ternary(weights.type, from, weights.cols, out);
  }
}

}  // namespace bankai::kernels
