// Products of a weight matrix with a block of activations, for any tensor type.
// One call does one block of rows and tokens on the calling thread; callers divide the work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/tensor_type.h"

namespace bankai::kernels {

// (rows, cols) weights in a file's layout; row r starts at data + r · row_bytes. Not owned.
struct WeightRows {
  TensorType type = TensorType::kF32;
  const std::uint8_t* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_bytes = 0;

  WeightRows slice(std::size_t first_row, std::size_t num_rows) const {
    return {type, data + first_row * row_bytes, num_rows, cols, row_bytes};
  }
};

enum class ActivationMode : std::uint8_t { kA8, kA16 };

// Activations of a block of tokens, quantised once and used by every product that reads them.
//
// a16 is KernelTable::quantize_a16. a8 is quantize_a8 with a finer step where a group holds an
// outlier: per group with m = max |x|, each run of 32 columns with max |x| = m_b gets the shift
// k_b, the largest of 0, 4, 5, 6, 7 with m_b · 2^k_b <= m (0 if m_b = 0). With K = max k_b:
//   v = round_half_even(x · (127 / m · 2^k_b)), value = v · 2^(K − k_b), scale = m / 127 · 2^−K.
// So the values of a group are one exact integer each, as the canonical product wants them, and a
// single large channel does not drown its 127 neighbours (docs/kernels.md has the figures).
class ActivationBlock {
 public:
  // Makes room for (tokens, cols); keeps memory for reuse. Float values are kept where float
  // weights will read them. REQUIRES: cols is a multiple of 128.
  void resize(ActivationMode mode, std::size_t tokens, std::size_t cols, bool keep_floats = true);
  // Stores one token's row (cols). Different tokens may be set from different threads.
  void set_token(const KernelTable& table, std::size_t token, const float* x);
  // Becomes the block of column group `group` of `from` alone, (tokens, 128): the same integers,
  // scales and floats. A token is wide where this group needs it. REQUIRES: group is below cols /
  // 128; `from` is another block, with every token set.
  void take_group(const ActivationBlock& from, std::size_t group);

  std::size_t tokens() const { return tokens_; }
  std::size_t cols() const { return cols_; }
  // Whether the token's integers need two planes of digits.
  bool is_wide(std::size_t token) const {
    return mode_ == ActivationMode::kA16 || is_wide_[token] != 0;
  }
  // The integers of tokens [first, first + count), in two planes if one of them needs two.
  Activations integers(std::size_t first, std::size_t count) const;
  // The same in one plane, which tells nothing of wide tokens. REQUIRES: a8.
  Activations one_plane(std::size_t first, std::size_t count) const;
  // The float row of a token (cols): what F32, F16 and BF16 weights are multiplied with. REQUIRES:
  // kept.
  const float* floats(std::size_t token) const { return values_.data() + token * cols_; }
  // What the integers stand for, scale · integer rounded to float once, of tokens [first, first +
  // count): out (count, cols).
  void widen(std::size_t first, std::size_t count, float* out) const;

 private:
  ActivationMode mode_ = ActivationMode::kA8;
  std::size_t tokens_ = 0;
  std::size_t cols_ = 0;
  bool keeps_floats_ = true;
  std::vector<float> values_;
  // An integer is 255 · high + low.
  std::vector<std::int8_t> high_;  // a8: zero but in tokens with shifts
  std::vector<std::int8_t> low_;
  std::vector<float> scales_;
  std::vector<std::uint8_t> is_wide_;  // tokens of a8 with shifts
};

// out[t · out_stride + r] = weights(r) · activations(first_token + t), t < num_tokens: the
// canonical product of the integers. REQUIRES: weights.cols == activations.cols().
void matmul(const KernelTable& table, const Panels& weights, const ActivationBlock& activations,
            std::size_t first_token, std::size_t num_tokens, float* out, std::size_t out_stride);

// The same for float types: dot_f32 over the widened row.
void matmul_floats(const KernelTable& table, const WeightRows& weights,
                   const ActivationBlock& activations, std::size_t first_token,
                   std::size_t num_tokens, float* out, std::size_t out_stride);

// One row widened to float, (cols): embedding look-up.
void widen_row(const WeightRows& weights, std::size_t row, float* out);

}  // namespace bankai::kernels
