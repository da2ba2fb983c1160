// Products of a weight matrix in its file layout with a block of activations, for any tensor type.
// One call does one block of rows and tokens on the calling thread; callers divide the work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/tensor_type.h"

namespace bankai::kernels {

// (rows, cols) weights; row r starts at data + r · row_bytes. Not owned.
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
class ActivationBlock {
 public:
  // Makes room for (tokens, cols); keeps memory for reuse. REQUIRES: cols is a multiple of 128.
  void resize(ActivationMode mode, std::size_t tokens, std::size_t cols);
  // Stores one token's row (cols): the float values and their digits. Different tokens may be set
  // from different threads.
  void set_token(const KernelTable& table, std::size_t token, const float* x);

  std::size_t tokens() const { return tokens_; }
  std::size_t cols() const { return cols_; }
  // The integer view of tokens [first, first + count).
  Activations integers(std::size_t first, std::size_t count) const;
  // The float row of a token (cols): what F32, F16 and BF16 weights are multiplied with.
  const float* floats(std::size_t token) const { return values_.data() + token * cols_; }

 private:
  ActivationMode mode_ = ActivationMode::kA8;
  std::size_t tokens_ = 0;
  std::size_t cols_ = 0;
  std::vector<float> values_;
  std::vector<std::int8_t> high_;
  std::vector<std::int8_t> low_;
  std::vector<float> scales_;
};

// out[t · out_stride + r] = weights(r) · activations(first_token + t), t < num_tokens.
// Q1_0 and Q8_0 use the integers (canonical product), float types dot_f32 over the widened row.
// REQUIRES: weights.cols == activations.cols().
void matmul(const KernelTable& table, const WeightRows& weights, const ActivationBlock& activations,
            std::size_t first_token, std::size_t num_tokens, float* out, std::size_t out_stride);

// One row widened to float, (cols): embedding look-up.
void widen_row(const WeightRows& weights, std::size_t row, float* out);

}  // namespace bankai::kernels
