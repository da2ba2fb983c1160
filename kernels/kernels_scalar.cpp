// The specification in plain C++: what every other table must reproduce bit for bit.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/attention_body.h"
#include "kernels/change_body.h"
#include "kernels/elementwise_body.h"
#include "kernels/half.h"
#include "kernels/kernel_table.h"
#include "kernels/panel_access.h"
#include "kernels/quantize_body.h"
#include "kernels/vec16_scalar.h"

namespace bankai::kernels {
namespace {

// Σ weight · value over the columns [first, first + count) of one row and one token.
std::int32_t integer_dot(const Panels& weights, std::size_t row, const Activations& activations,
                         std::size_t token, std::size_t first, std::size_t count) {
  std::int32_t sum = 0;
  for (std::size_t col = first; col < first + count; ++col) {
    const std::size_t i = token * activations.cols + col;
    std::int32_t value = activations.high[i];
    if (activations.low != nullptr) value = 255 * value + activations.low[i];
    sum += panel_weight(weights, row, col) * value;
  }
  return sum;
}

void gemm(const Panels& weights, const Activations& activations, float* out,
          std::size_t out_stride) {
  const std::size_t run_cols = panel_format_info(weights.format).run_cols;
  const std::size_t groups = activations.cols / kGroupCols;
  for (std::size_t token = 0; token < activations.tokens; ++token) {
    for (std::size_t row = 0; row < weights.rows; ++row) {
      float sum = 0.0F;
      for (std::size_t col = 0; col < activations.cols; col += run_cols) {
        const std::int32_t dot = integer_dot(weights, row, activations, token, col, run_cols);
        const float scale = f16_to_float(panel_scale(weights, row, col)) *
                            activations.scales[token * groups + col / kGroupCols];
        sum = std::fma(static_cast<float>(dot), scale, sum);
      }
      out[token * out_stride + row] = sum;
    }
  }
}

void gemm_transposed(const Panels& weights, std::size_t first_group, std::size_t num_groups,
                     const float* gradient, std::size_t tokens, std::size_t gradient_stride,
                     bool fine, float* out, std::size_t out_stride) {
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t group = first_group; group < first_group + num_groups; ++group) {
      float* sums = out + token * out_stride + (group - first_group) * kGroupCols;
      for (std::size_t c = 0; c < kGroupCols; ++c) sums[c] = 0.0F;
      for (std::size_t block = 0; block < weights.rows; block += kGroupCols) {
        float u[kGroupCols] = {};
        std::int8_t high[kGroupCols];
        std::int8_t low[kGroupCols] = {};
        float scale = 0.0F;
        const std::size_t count =
            weights.rows - block < kGroupCols ? weights.rows - block : kGroupCols;
        for (std::size_t i = 0; i < count; ++i)
          u[i] = gradient[token * gradient_stride + block + i] *
                 f16_to_float(panel_scale(weights, block + i, group * kGroupCols));
        if (fine)
          quantize_a16<Vec16Scalar>(u, kGroupCols, high, low, &scale);
        else
          quantize_a8<Vec16Scalar>(u, kGroupCols, high, &scale);
        for (std::size_t c = 0; c < kGroupCols; ++c) {
          std::int32_t dot = 0;
          for (std::size_t i = 0; i < count; ++i)
            dot += panel_weight(weights, block + i, group * kGroupCols + c) *
                   (fine ? 255 * high[i] + low[i] : high[i]);
          sums[c] = std::fma(static_cast<float>(dot), scale, sums[c]);
        }
      }
    }
  }
}

std::int32_t xnor_dot(const std::uint64_t* panels, std::size_t row, const std::uint64_t* token,
                      std::size_t cols) {
  const std::size_t words = (cols + 63) / 64;
  const std::uint64_t* weights =
      panels + row / kBitPanelRows * kBitPanelRows * words + row % kBitPanelRows;
  std::size_t different = 0;
  for (std::size_t word = 0; word < words; ++word)
    different +=
        static_cast<std::size_t>(__builtin_popcountll(weights[word * kBitPanelRows] ^ token[word]));
  return static_cast<std::int32_t>(cols) - 2 * static_cast<std::int32_t>(different);
}

void xnor_gemm(const std::uint64_t* panels, std::size_t rows, const std::uint64_t* activations,
               std::size_t tokens, std::size_t cols, std::int32_t* out, std::size_t out_stride) {
  const std::size_t words = (cols + 63) / 64;
  for (std::size_t token = 0; token < tokens; ++token)
    for (std::size_t row = 0; row < rows; ++row)
      out[token * out_stride + row] = xnor_dot(panels, row, activations + token * words, cols);
}

void xnor_threshold(const std::uint64_t* panels, std::size_t rows, const std::uint64_t* activations,
                    std::size_t tokens, std::size_t cols, const std::int32_t* thresholds,
                    std::uint64_t* out) {
  const std::size_t words = (cols + 63) / 64;
  const std::size_t out_words = (rows + 63) / 64;
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t word = 0; word < out_words; ++word) out[token * out_words + word] = 0;
    for (std::size_t row = 0; row < rows; ++row)
      if (xnor_dot(panels, row, activations + token * words, cols) >= thresholds[row])
        out[token * out_words + row / 64] |= std::uint64_t{1} << row % 64;
  }
}

std::size_t xnor_pointer(const PointerQuery& p) {
  std::size_t best = 0;
  std::int64_t best_cost = 0;
  for (std::size_t j = 0; j < p.num_positions; ++j) {
    const std::uint64_t* key = p.keys + j / kBitPanelRows * p.panel_stride + j % kBitPanelRows;
    std::int64_t different = 0;
    for (std::size_t word = 0; word < p.words; ++word)
      different += __builtin_popcountll((key[word * kBitPanelRows] ^ p.query[word]) & p.mask[word]);
    const std::int64_t cost = p.bit_cost * different +
                              p.position_cost * static_cast<std::int64_t>(p.num_positions - 1 - j);
    if (j == 0 || cost < best_cost || (p.latest && cost == best_cost)) {
      best_cost = cost;
      best = j;
    }
  }
  return best;
}

void accumulate_outer(const float* a, std::size_t a_stride, std::size_t rows, const float* b,
                      std::size_t b_stride, std::size_t cols, std::size_t tokens, float* out,
                      std::size_t out_stride) {
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < cols; ++c) {
        float& sum = out[r * out_stride + c];
        sum = std::fma(a[t * a_stride + r], b[t * b_stride + c], sum);
      }
}

void add_digit_products(const std::int8_t* a, std::size_t a_stride, const float* a_scales,
                        std::size_t rows, const std::int8_t* b, std::size_t b_cols,
                        const float* b_scales, std::size_t cols, std::size_t tokens, bool adds,
                        float* out, std::size_t out_stride) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c) {
      std::int32_t dot = 0;
      for (std::size_t t = 0; t < tokens; ++t)
        dot += a[r * a_stride + t] * b[(t / 4 * b_cols + c) * 4 + t % 4];
      float& sum = out[r * out_stride + c];
      sum = std::fma(static_cast<float>(dot), a_scales[r] * b_scales[c], adds ? sum : 0.0F);
    }
}

void dot_signs(const std::int16_t* weights, const std::int16_t* inputs, std::size_t input_stride,
               std::size_t n, std::int32_t* sums) {
  for (std::size_t t = 0; t < kSignRows; ++t) {
    sums[t] = 0;
    for (std::size_t i = 0; i < n; ++i) sums[t] += weights[i] * inputs[t * input_stride + i];
  }
}

void add_signs(const std::int16_t* steps, const std::int16_t* inputs, std::size_t input_stride,
               std::size_t n, std::int16_t limit, std::int16_t* weights) {
  for (std::size_t i = 0; i < n; ++i) {
    int sum = weights[i];
    for (std::size_t t = 0; t < kSignRows; ++t) sum += steps[t] * inputs[t * input_stride + i];
    weights[i] = static_cast<std::int16_t>(sum > limit ? limit : sum < -limit ? -limit : sum);
  }
}

// One multiply-add after another, as the loops above do them.
std::uint64_t int8_peak(std::size_t rounds) {
  volatile std::int8_t factor = 3;
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < rounds; ++i) sum += factor * static_cast<std::int8_t>(i);
  volatile std::int32_t result = sum;
  static_cast<void>(result);
  return rounds;
}

}  // namespace

const KernelTable kScalarKernels = {
    .name = "scalar",
    .required_features = 0,
    .quantize_a8 = quantize_a8<Vec16Scalar>,
    .quantize_a16 = quantize_a16<Vec16Scalar>,
    .gemm = {gemm, gemm, gemm, gemm},
    .gemm_transposed = gemm_transposed,
    .xnor_gemm = xnor_gemm,
    .xnor_threshold = xnor_threshold,
    .xnor_pointer = xnor_pointer,
    .attention_scores = {attention_scores<Vec16Scalar, KvType::kF16>,
                         attention_scores<Vec16Scalar, KvType::kF32>},
    .attention_values = {attention_values<Vec16Scalar, KvType::kF16>,
                         attention_values<Vec16Scalar, KvType::kF32>},
    .packed_scores = {packed_scores<Vec16Scalar, 1>, packed_scores<Vec16Scalar, 2>,
                      packed_scores<Vec16Scalar, 4>, packed_scores<Vec16Scalar, 8>},
    .packed_values = {packed_values<Vec16Scalar, 1>, packed_values<Vec16Scalar, 2>,
                      packed_values<Vec16Scalar, 4>, packed_values<Vec16Scalar, 8>},
    .accumulate_outer = accumulate_outer,
    .add_digit_products = add_digit_products,
    .add_products = add_products<Vec16Scalar>,
    .add_silu_changes = add_silu_changes<Vec16Scalar>,
    .add_relu2_changes = add_relu2_changes<Vec16Scalar>,
    .add_shortfalls = add_shortfalls<Vec16Scalar>,
    .add_fixed = add_fixed<Vec16Scalar>,
    .dot_signs = dot_signs,
    .add_signs = add_signs,
    .dot_f32 = dot_f32<Vec16Scalar>,
    .add_f32 = add_f32<Vec16Scalar>,
    .f32_to_f16 = f32_to_f16<Vec16Scalar>,
    .f16_to_f32 = f16_to_f32<Vec16Scalar>,
    .rms_norm = rms_norm<Vec16Scalar>,
    .rope_neox = rope_neox<Vec16Scalar>,
    .silu_mul = silu_mul<Vec16Scalar>,
    .relu2_mul = relu2_mul<Vec16Scalar>,
    .max_f32 = max_f32<Vec16Scalar>,
    .exponentials = exponentials<Vec16Scalar>,
    .sum_exp = sum_exp<Vec16Scalar>,
    .int8_peak = int8_peak,
};

}  // namespace bankai::kernels
