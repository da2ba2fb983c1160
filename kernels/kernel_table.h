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

#include "kernels/bit_panels.h"
#include "kernels/panels.h"

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

// How keys and values are stored as floats; indexes attention_scores and attention_values.
enum class KvType : std::uint8_t { kF16, kF32 };
inline constexpr std::size_t kNumKvTypes = 2;
inline constexpr std::size_t kKeyBlock = 16;  // positions in a block of keys

// Bits of the codes of keys and values; packed_scores and packed_values have an op for each.
inline constexpr std::size_t kKvCodeBits[] = {1, 2, 4, 8};
inline constexpr std::size_t kNumKvCodes = 4;

// Keys or values of some positions as codes: element = fma(code, scale, minimum) of the position.
struct PackedVectors {
  const std::uint8_t* codes = nullptr;  // runs of 16 (kernels/kv_codes.h)
  const float* scales = nullptr;        // (positions)
  const float* minima = nullptr;        // (positions)
};

inline constexpr std::size_t kDigitTokens = 128;  // of add_digit_products

inline constexpr std::size_t kSignRows = 8;   // rows of inputs that dot_signs and add_signs take
inline constexpr std::size_t kSignStep = 32;  // and what their lengths are multiples of

// A query over keys of bits, which are the rows of panels (bit_panels.h): word w of key j is at
// keys[j / 8 · panel_stride + 8 · w + j mod 8]; whole panels are readable. Costs stay below 2^62 in
// size.
struct PointerQuery {
  const std::uint64_t* query;  // (words)
  const std::uint64_t* mask;   // (words): the bits that count
  std::size_t words;
  const std::uint64_t* keys;
  std::size_t panel_stride;
  std::size_t num_positions;
  std::int64_t bit_cost;  // at least 0, below 2^32
  std::int64_t position_cost;
  bool latest;
};

struct KernelTable {
  const char* name = nullptr;           // "scalar", "avx2", "avx512", …
  std::uint32_t required_features = 0;  // CpuFeature bits (cpu_features.h)

  // One row of activations, (cols) → digits (cols) and scales (cols / 128). cols is a multiple of
  // 128. Per group: m = max |x|. If m is not finite (or an x is NaN): scale = NaN, digits 0. If m <
  // 2^-100: scale = 0, digits 0. Otherwise scale = m / L, v = round_half_even(x · (L / m)) with L =
  // 127 for a8, 32512 for a16; a8: high = v; a16: high = round(v / 255), low = v − 255 · high.
  void (*quantize_a8)(const float* x, std::size_t cols, std::int8_t* high, float* scales) = nullptr;
  void (*quantize_a16)(const float* x, std::size_t cols, std::int8_t* high, std::int8_t* low,
                       float* scales) = nullptr;

  // The canonical product: out[t · out_stride + r] for t < tokens, r < rows; an op for each
  // PanelFormat. Per run of columns that share a scale d, in ascending order, starting from acc 0:
  //   s = Σ_j weight_j · value_j                  exact integer (value = high, or 255 · high + low)
  //   acc = fma(float(s), d · scale_g, acc)       the product d · scale is rounded to float first
  // with scale_g of the group of 128 columns that the run lies in; float(s) rounds to nearest even.
  using Gemm = void (*)(const Panels& weights, const Activations& activations, float* out,
                        std::size_t out_stride);
  Gemm gemm[kNumPanelFormats] = {};

  // The product with transposed one-bit weights that a backward pass needs, for the column groups
  // [first_group, first_group + num_groups): out[t · out_stride + c] for c < 128 · num_groups
  // belongs to column 128 · first_group + c. gradient is (tokens, rows), rows at gradient_stride.
  // Per column group g and block of 128 rows, ascending, starting from acc 0 (missing rows: u 0):
  //   u_r = gradient_r · d_{r,g};   v, s = quantize_a8(u), or quantize_a16(u) if `fine`
  //   acc_c = fma(float(Σ_r weight_{r,c} · v_r), s, acc_c)
  void (*gemm_transposed)(const Panels& weights, std::size_t first_group, std::size_t num_groups,
                          const float* gradient, std::size_t tokens, std::size_t gradient_stride,
                          bool fine, float* out, std::size_t out_stride) = nullptr;

  // Products of ±1 with ±1, both as bits (1 → +1, 0 → −1): weights (rows, cols) in panels
  // (bit_panels.h), activations in rows of ceil(cols / 64) words, least significant bit first; bits
  // beyond cols are 0. dot = cols − 2 · popcount(w xor a).
  // out[t · out_stride + r] = dot.
  void (*xnor_gemm)(const std::uint64_t* panels, std::size_t rows, const std::uint64_t* activations,
                    std::size_t tokens, std::size_t cols, std::int32_t* out,
                    std::size_t out_stride) = nullptr;
  // Bit r of row t of out (tokens, ceil(rows / 64)) = dot >= thresholds[r]; bits beyond rows are 0.
  void (*xnor_threshold)(const std::uint64_t* panels, std::size_t rows,
                         const std::uint64_t* activations, std::size_t tokens, std::size_t cols,
                         const std::int32_t* thresholds, std::uint64_t* out) = nullptr;
  // The key of least cost among the positions j < num_positions (at least one), where
  //   cost_j = bit_cost · popcount((query xor key_j) and mask) + position_cost · (num_positions − 1
  //   − j);
  // among equals the latest if `latest`, else the earliest.
  std::size_t (*xnor_pointer)(const PointerQuery& query) = nullptr;

  // Attention of some queries over one head's keys and values, which are (f16 or f32, by index of
  // KvType) in blocks of 16 positions: keys transposed, key(j, d) at keys[j / 16 · block_stride +
  // d · 16 + j mod 16]; values in rows, value(j, d) at values[j · row_stride + d].
  // scores: out[q · out_stride + j] = (Σ_d fma(query_d, key(j, d), ·), d ascending from 0) · scale
  // for the 16 · num_blocks positions; the caller ignores what lies beyond the filled ones.
  using AttentionScores = void (*)(const float* queries, std::size_t num_queries,
                                   std::size_t query_stride, std::size_t head_dim, const void* keys,
                                   std::size_t num_blocks, std::size_t block_stride, float scale,
                                   float* out, std::size_t out_stride);
  AttentionScores attention_scores[kNumKvTypes] = {};
  // values: out[q · out_stride + d] = fma(weight(q, j), value(j, d), out), j ascending, in place;
  // weight(q, j) = weights[q · weight_stride + j], j < num_positions.
  using AttentionValues = void (*)(const float* weights, std::size_t num_queries,
                                   std::size_t weight_stride, const void* values,
                                   std::size_t row_stride, std::size_t num_positions,
                                   std::size_t head_dim, float* out, std::size_t out_stride);
  AttentionValues attention_values[kNumKvTypes] = {};

  // The same over codes, an op for each of kKvCodeBits. Keys: run d of block b, head_dim runs per
  // block, has the codes of dimension d of positions 16 b … 16 b + 15; scales and minima are there
  // for all of them. Values: ceil(head_dim / 16) runs per position, run r with its dimensions 16 r
  // … 16 r + 15. The results are those of attention_scores and attention_values on the elements as
  // f32, bit for bit.
  using PackedScores = void (*)(const float* queries, std::size_t num_queries,
                                std::size_t query_stride, std::size_t head_dim,
                                const PackedVectors& keys, std::size_t num_blocks, float scale,
                                float* out, std::size_t out_stride);
  PackedScores packed_scores[kNumKvCodes] = {};
  using PackedValues = void (*)(const float* weights, std::size_t num_queries,
                                std::size_t weight_stride, const PackedVectors& values,
                                std::size_t num_positions, std::size_t head_dim, float* out,
                                std::size_t out_stride);
  PackedValues packed_values[kNumKvCodes] = {};

  // Adds the outer products of rows of a (tokens, rows) and b (tokens, cols), in place, as the
  // gradient of a weight matrix wants it: for t ascending, r < rows and c < cols
  //   out[r · out_stride + c] = fma(a[t · a_stride + r], b[t · b_stride + c], out[r · out_stride +
  //   c])
  // So tokens may be added in several calls.
  void (*accumulate_outer)(const float* a, std::size_t a_stride, std::size_t rows, const float* b,
                           std::size_t b_stride, std::size_t cols, std::size_t tokens, float* out,
                           std::size_t out_stride) = nullptr;

  // The same of digits, for up to kDigitTokens tokens. a (rows, tokens), rows at a_stride: the
  // digits of a row together; b (tokens / 4, columns, 4), fours of tokens at 4 · b_cols: the digits
  // of four tokens together. Digits are in [-127, 127], and 0 for the tokens that fill up the last
  // four, which both have. cols is a multiple of 16. The sum over tokens is an exact integer:
  //   out[r · out_stride + c] = fma(float(Σ_t a_{r,t} · b_{t,c}), a_scales_r · b_scales_c, before)
  // where `before` is what out has there if `adds`, else 0.
  void (*add_digit_products)(const std::int8_t* a, std::size_t a_stride, const float* a_scales,
                             std::size_t rows, const std::int8_t* b, std::size_t b_cols,
                             const float* b_scales, std::size_t cols, std::size_t tokens, bool adds,
                             float* out, std::size_t out_stride) = nullptr;

  // Changes of many candidates at once, each added in place to a sum of its own.
  // sums_i = fma(a_i, b_i, sums_i).
  void (*add_products)(const float* a, const float* b, std::size_t n, float* sums) = nullptr;
  // sums_i = fma(factors_i, f(fma(−2, shares_i, gate_i)) − before_i, sums_i) with f as in silu_mul
  // and relu2_mul.
  using AddActivationChanges = void (*)(const float* gate, const float* shares, const float* before,
                                        const float* factors, std::size_t n, float* sums);
  AddActivationChanges add_silu_changes = nullptr;
  AddActivationChanges add_relu2_changes = nullptr;
  // By how much more a value falls short of 0 when a_i · b_i is added to its `slack` above 0:
  // sums_i = fma(weight, max(−fma(a_i, b_i, slack), 0) − max(−slack, 0), sums_i). NaN as in
  // max_f32.
  void (*add_shortfalls)(const float* a, const float* b, std::size_t n, float slack, float weight,
                         float* sums) = nullptr;
  // sums_i += the integer nearest to 2^40 · x (ties to even), x = a_i · b_i limited to [−limit,
  // limit]; NaN counts as −limit. limit is at most 2^10.
  void (*add_fixed)(const float* a, const float* b, std::size_t n, float limit,
                    std::int64_t* sums) = nullptr;

  // Products of 16-bit weights with kSignRows rows of inputs of −1, 0 or +1, input_stride apart,
  // and what weights learn from them. n is a multiple of kSignStep, at most 2^15.
  //   sums_t = Σ_i weights_i · inputs_{t,i}                         exact
  //   weights_i = weights_i + Σ_t steps_t · inputs_{t,i}, in place, then limited to [−limit, limit]
  // |weights_i| plus the magnitudes of all steps are below 2^15.
  void (*dot_signs)(const std::int16_t* weights, const std::int16_t* inputs,
                    std::size_t input_stride, std::size_t n, std::int32_t* sums) = nullptr;
  void (*add_signs)(const std::int16_t* steps, const std::int16_t* inputs, std::size_t input_stride,
                    std::size_t n, std::int16_t limit, std::int16_t* weights) = nullptr;

  // Σ a_i · b_i in 16 lanes of fma.
  float (*dot_f32)(const float* a, const float* b, std::size_t n) = nullptr;
  // y_i = y_i + x_i, in place in y.
  void (*add_f32)(const float* x, float* y, std::size_t n) = nullptr;
  // IEEE half precision, round to nearest even; overflow gives infinity.
  void (*f32_to_f16)(const float* x, std::uint16_t* y, std::size_t n) = nullptr;
  void (*f16_to_f32)(const std::uint16_t* x, float* y, std::size_t n) = nullptr;

  // out_i = (x_i · r) · w_i with r = 1 / sqrt(sum / n + eps), sum = dot_f32(x, x). out may be x.
  void (*rms_norm)(const float* x, const float* weight, std::size_t n, float eps,
                   float* out) = nullptr;
  // Rotates the pairs (x_i, x_{i+half}), i < half, in place (NeoX order):
  //   x_i' = fma(x_i, cos_i, −(x_{i+half} · sin_i)), x_{i+half}' = fma(x_{i+half}, cos_i, x_i ·
  //   sin_i)
  void (*rope_neox)(float* x, const float* cos, const float* sin, std::size_t half) = nullptr;
  // out_i = (gate_i / (1 + exp(−gate_i))) · up_i, exp as in docs/kernels.md. out may be gate or up.
  void (*silu_mul)(const float* gate, const float* up, std::size_t n, float* out) = nullptr;
  // out_i = (r · r) · up_i with r = max(gate_i, 0), NaN where gate_i is. out may be gate or up.
  void (*relu2_mul)(const float* gate, const float* up, std::size_t n, float* out) = nullptr;
  // max x_i; −infinity for n = 0. NaN if any x is NaN.
  float (*max_f32)(const float* x, std::size_t n) = nullptr;
  // In place: x_i = exp(x_i − max x). Returns their sum, in 16 lanes of float addition: a softmax
  // before the division.
  float (*exponentials)(float* x, std::size_t n) = nullptr;
  // Σ exp(x_i − offset) with float exp, summed in 16 lanes of double addition.
  double (*sum_exp)(const float* x, std::size_t n, float offset) = nullptr;

  // Runs the table's fastest 8-bit multiply-add instruction on registers alone and returns how many
  // multiply-adds that were (about `rounds` times a small constant): the machine's limit.
  std::uint64_t (*int8_peak)(std::size_t rounds) = nullptr;
};

// The tables as compiled, each in kernels_<name>.cpp. An op that a table does not have is null
// here; use all_kernels() and select_kernel() of dispatch.h, where it is filled in.
extern const KernelTable kScalarKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512IclKernels;
extern const KernelTable kAmxKernels;
extern const KernelTable kNeonKernels;

}  // namespace bankai::kernels
