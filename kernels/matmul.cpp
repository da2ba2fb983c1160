#include "kernels/matmul.h"

#include <cstring>

#include "core/check.h"
#include "kernels/half.h"

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

// Float weights: each row is widened once and then meets every token.
void matmul_floats(const KernelTable& table, const WeightRows& weights,
                   const ActivationBlock& activations, std::size_t first_token,
                   std::size_t num_tokens, float* out, std::size_t out_stride) {
  thread_local std::vector<float> widened;
  if (widened.size() < weights.cols) widened.resize(weights.cols);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    widen_row_by(table, weights, row, widened.data());
    for (std::size_t t = 0; t < num_tokens; ++t)
      out[t * out_stride + row] =
          table.dot_f32(activations.floats(first_token + t), widened.data(), weights.cols);
  }
}

}  // namespace

void matmul(const KernelTable& table, const WeightRows& weights, const ActivationBlock& activations,
            std::size_t first_token, std::size_t num_tokens, float* out, std::size_t out_stride) {
  BANKAI_CHECK(weights.cols == activations.cols(), "weights and activations differ in columns");
  switch (weights.type) {
    case TensorType::kQ1_0:
    case TensorType::kQ8_0: {
      const TensorTypeInfo& info = tensor_type_info(weights.type);
      BANKAI_CHECK(weights.row_bytes == weights.cols / info.block_weights * info.block_bytes,
                   "rows of blocks must follow each other without a gap");
      const auto gemm = weights.type == TensorType::kQ1_0 ? table.gemm_q1_0 : table.gemm_q8_0;
      const std::size_t last = first_token + num_tokens;
      for (std::size_t first = first_token; first < last;) {
        const std::size_t end = activations.end_of_run(first, last);
        gemm(weights.data, weights.rows, activations.integers(first, end - first),
             out + (first - first_token) * out_stride, out_stride);
        first = end;
      }
      return;
    }
    case TensorType::kF32:
    case TensorType::kF16:
    case TensorType::kBF16:
      matmul_floats(table, weights, activations, first_token, num_tokens, out, out_stride);
      return;
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
  }
}

}  // namespace bankai::kernels
