// The contract of the arithmetic kernels: what every instruction set computes, bit for bit.
//
// kernels_scalar.cpp is the specification in code; every other table must give the same bytes for
// the same input, whatever the sizes. Nothing here allocates, throws, prints or touches globals;
// all functions are thread-safe. Pointers need the alignment of their element type only. Inputs are
// readable for exactly the stated extent and not one byte more. Outputs must not overlap inputs
// unless an op says "in place". Counts may be zero.
//
// Float arithmetic is IEEE single precision, round to nearest even, no contraction: a multiply-add
// is fused exactly where this file says fma. Sums over elements use a fixed shape, "16 lanes": lane
// j takes the elements i with i mod 16 = j in ascending order, starting from 0; then lanes are
// added pairwise, l[j] += l[j+8] (j < 8), l[j] += l[j+4] (j < 4), l[j] += l[j+2] (j < 2), l[0] +
// l[1]. NaN payloads are the one thing that is not specified.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {

// Integer activations of `tokens` rows, in groups of 128 columns.
//   a8:  x ≈ scale · high, high in [-127, 127], low = nullptr
//   a16: x ≈ scale · (255 · high + low), both digits in [-127, 127]
// Balanced base-255 digits make negation exact: digits(-x) = -digits(x).
struct Activations {
  const std::int8_t* high = nullptr;  // (tokens, cols)
  const std::int8_t* low = nullptr;   // (tokens, cols), or nullptr for a8
  const float* scales = nullptr;      // (tokens, cols / 128)
  std::size_t tokens = 0;
  std::size_t cols = 0;  // a multiple of 128
};

struct KernelTable {
  const char* name;                 // "scalar", "avx2", "avx512"
  std::uint32_t required_features;  // CpuFeature bits (cpu_features.h)

  // One row of activations, (cols) → digits (cols) and scales (cols / 128). cols is a multiple of
  // 128. Per group: m = max |x|. If m is not finite (or an x is NaN): scale = NaN, digits 0. If m <
  // 2^-100: scale = 0, digits 0. Otherwise scale = m / L, v = round_half_even(x · (L / m)) with L =
  // 127 for a8, 32512 for a16; a8: high = v; a16: high = round(v / 255), low = v − 255 · high.
  void (*quantize_a8)(const float* x, std::size_t cols, std::int8_t* high, float* scales);
  void (*quantize_a16)(const float* x, std::size_t cols, std::int8_t* high, std::int8_t* low,
                       float* scales);

  // The canonical product: out[t · out_stride + r] for t < tokens, r < rows.
  // Q1_0 rows are cols / 128 blocks of 18 bytes: fp16 d, then 128 bits, least significant first,
  // 1 → +1, 0 → −1. Per group g in ascending order, starting from acc = 0:
  //   s = Σ_j weight_j · value_j            exact integer (value = high, or 255 · high + low)
  //   acc = fma(float(s), d_g · scale_g, acc)     (the product d · scale is rounded to float first)
  void (*gemm_q1_0)(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                    float* out, std::size_t out_stride);
  // Q8_0 rows are cols / 32 blocks of 34 bytes: fp16 d, then 32 int8. As above with s over the 32
  // weights of a block (int32, converted to float by rounding to nearest even), block by block.
  void (*gemm_q8_0)(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                    float* out, std::size_t out_stride);

  // Σ a_i · b_i in 16 lanes of fma. f16 operands are widened exactly first.
  float (*dot_f32)(const float* a, const float* b, std::size_t n);
  float (*dot_f16)(const float* a, const std::uint16_t* b, std::size_t n);
  // y_i = fma(a, x_i, y_i), in place in y.
  void (*axpy_f32)(float a, const float* x, float* y, std::size_t n);
  void (*axpy_f16)(float a, const std::uint16_t* x, float* y, std::size_t n);
  // y_i = y_i + x_i, in place in y.
  void (*add_f32)(const float* x, float* y, std::size_t n);
  // IEEE half precision, round to nearest even; overflow gives infinity.
  void (*f32_to_f16)(const float* x, std::uint16_t* y, std::size_t n);
  void (*f16_to_f32)(const std::uint16_t* x, float* y, std::size_t n);

  // out_i = (x_i · r) · w_i with r = 1 / sqrt(sum / n + eps), sum = dot_f32(x, x). out may be x.
  void (*rms_norm)(const float* x, const float* weight, std::size_t n, float eps, float* out);
  // Rotates the pairs (x_i, x_{i+half}), i < half, in place (NeoX order):
  //   x_i' = fma(x_i, cos_i, −(x_{i+half} · sin_i)), x_{i+half}' = fma(x_{i+half}, cos_i, x_i ·
  //   sin_i)
  void (*rope_neox)(float* x, const float* cos, const float* sin, std::size_t half);
  // out_i = (gate_i / (1 + exp(−gate_i))) · up_i, exp as in docs/kernels.md. out may be gate or up.
  void (*silu_mul)(const float* gate, const float* up, std::size_t n, float* out);
  // max x_i; −infinity for n = 0. NaN if any x is NaN.
  float (*max_f32)(const float* x, std::size_t n);
  // In place: x_i = e_i / Σ e in place, e_i = exp(x_i − max), Σ in 16 lanes of float addition.
  void (*softmax)(float* x, std::size_t n);
  // Σ exp(x_i − offset) with float exp, summed in 16 lanes of double addition.
  double (*sum_exp)(const float* x, std::size_t n, float offset);
};

// The tables as compiled, each in kernels_<name>.cpp. An op that a table does not have is null
// here; use all_kernels() and select_kernel() of dispatch.h, where it is filled in.
extern const KernelTable kScalarKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;

}  // namespace bankai::kernels
