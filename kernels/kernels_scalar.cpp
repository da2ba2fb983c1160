// The specification in plain C++: what every other table must reproduce bit for bit.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/elementwise_body.h"
#include "kernels/half.h"
#include "kernels/kernel_table.h"
#include "kernels/quantize_body.h"
#include "kernels/vec16_scalar.h"

namespace bankai::kernels {
namespace {

float read_scale(const std::uint8_t* block) {
  std::uint16_t half;
  std::memcpy(&half, block, sizeof half);
  return f16_to_float(half);
}

// Σ weight_of(j) · value_j over the columns [first_col, first_col + count) of one token.
template <typename WeightOf>
std::int32_t integer_dot(const Activations& activations, std::size_t token, std::size_t first_col,
                         std::size_t count, WeightOf weight_of) {
  const std::size_t offset = token * activations.cols + first_col;
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < count; ++j) {
    std::int32_t value = activations.high[offset + j];
    if (activations.low != nullptr) value = 255 * value + activations.low[offset + j];
    sum += weight_of(j) * value;
  }
  return sum;
}

void gemm_q1_0(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
               float* out, std::size_t out_stride) {
  constexpr std::size_t kBlockBytes = 18;
  const std::size_t groups = activations.cols / kGroupCols;
  for (std::size_t token = 0; token < activations.tokens; ++token) {
    for (std::size_t row = 0; row < rows; ++row) {
      float sum = 0.0F;
      for (std::size_t group = 0; group < groups; ++group) {
        const std::uint8_t* block = blocks + (row * groups + group) * kBlockBytes;
        const std::uint8_t* bits = block + 2;
        const std::int32_t dot = integer_dot(
            activations, token, group * kGroupCols, kGroupCols,
            [&](std::size_t j) { return ((bits[j / 8] >> (j % 8)) & 1) != 0 ? 1 : -1; });
        const float scale = read_scale(block) * activations.scales[token * groups + group];
        sum = std::fma(static_cast<float>(dot), scale, sum);
      }
      out[token * out_stride + row] = sum;
    }
  }
}

void gemm_q8_0(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
               float* out, std::size_t out_stride) {
  constexpr std::size_t kBlockBytes = 34;
  constexpr std::size_t kBlockCols = 32;
  const std::size_t row_blocks = activations.cols / kBlockCols;
  const std::size_t groups = activations.cols / kGroupCols;
  for (std::size_t token = 0; token < activations.tokens; ++token) {
    for (std::size_t row = 0; row < rows; ++row) {
      float sum = 0.0F;
      for (std::size_t b = 0; b < row_blocks; ++b) {
        const std::uint8_t* block = blocks + (row * row_blocks + b) * kBlockBytes;
        const std::uint8_t* weights = block + 2;
        const std::int32_t dot =
            integer_dot(activations, token, b * kBlockCols, kBlockCols,
                        [&](std::size_t j) { return static_cast<std::int8_t>(weights[j]); });
        const std::size_t group = b * kBlockCols / kGroupCols;
        const float scale = read_scale(block) * activations.scales[token * groups + group];
        sum = std::fma(static_cast<float>(dot), scale, sum);
      }
      out[token * out_stride + row] = sum;
    }
  }
}

}  // namespace

const KernelTable kScalarKernels = {
    .name = "scalar",
    .required_features = 0,
    .quantize_a8 = quantize_a8<Vec16Scalar>,
    .quantize_a16 = quantize_a16<Vec16Scalar>,
    .gemm_q1_0 = gemm_q1_0,
    .gemm_q8_0 = gemm_q8_0,
    .dot_f32 = dot_f32<Vec16Scalar>,
    .dot_f16 = dot_f16<Vec16Scalar>,
    .axpy_f32 = axpy_f32<Vec16Scalar>,
    .axpy_f16 = axpy_f16<Vec16Scalar>,
    .add_f32 = add_f32<Vec16Scalar>,
    .f32_to_f16 = f32_to_f16<Vec16Scalar>,
    .f16_to_f32 = f16_to_f32<Vec16Scalar>,
    .rms_norm = rms_norm<Vec16Scalar>,
    .rope_neox = rope_neox<Vec16Scalar>,
    .silu_mul = silu_mul<Vec16Scalar>,
    .max_f32 = max_f32<Vec16Scalar>,
    .softmax = softmax<Vec16Scalar>,
    .sum_exp = sum_exp<Vec16Scalar>,
};

}  // namespace bankai::kernels
