// Rows of float weights as the blocks of a tensor type: what conversion and lossy packing write.
//
//   F32, F16, BF16  rounded to nearest even
//   Q8_0            codes of `code_bits` bits, two's complement, times a scale per 32 weights. With
//   8
//                   bits the codes are -127 … 127 and the scale is the largest magnitude / 127 (as
//                   stock tools write it); with fewer, the scale of least squared error
//   Q1_0            signs (of 0: +) times the mean magnitude
//   ternary types   round_half_even(weight / mean magnitude), limited to -1 … 1: absmean
//                   ternarisation of BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764, section 2)
//
// The mean magnitude is that of a block, a row or the tensor; every block stores it as a half. What
// is ternary already (all weights in the scope are 0 or ± one magnitude) keeps its magnitude
// instead of the mean, so encoding what was decoded changes no weight. Sums run in row-major order
// in double precision, so the bytes do not depend on threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"
#include "kernels/matmul.h"
#include "kernels/tensor_type.h"

namespace bankai::packer {

enum class ScaleScope : std::uint8_t { kTensor, kRow, kGroup };  // kGroup: each block its own

struct BlockEncoding {
  kernels::TensorType type = kernels::TensorType::kQ1_0;
  ScaleScope scope = ScaleScope::kGroup;  // of Q1_0 and the ternary types
  unsigned code_bits = 8;                 // of Q8_0: 2 to 8
};

// Can weights be encoded as this type? (All readable types but I2_S, whose layout is not one.)
bool can_encode(kernels::TensorType type);

// The magnitudes of some weights.
struct Magnitudes {
  double sum = 0.0;
  std::uint64_t count = 0;
  float smallest = 0.0F;  // that is not 0; 0 if there is none
  float largest = 0.0F;

  void add(std::span<const float> weights);
  void add(const Magnitudes& other);
};

// Fills one row, (cols). Called by several threads at once.
using RowSource = std::function<void(std::size_t row, float* out)>;

// The rows of a matrix in a file (any type that can be read), times its scale. The file must
// outlive the source.
RowSource rows_of(kernels::WeightRows weights, float scale = 1.0F);

class BlockEncoder {
 public:
  // Reads all rows once if the scope is the tensor. Errors, unnamed: kUsage for an encoding that
  // does not exist or columns that are no whole number of blocks; kBadInput for a weight that is
  // not finite.
  static Result<BlockEncoder> make(const BlockEncoding& encoding, std::size_t rows,
                                   std::size_t cols, RowSource source, int threads);

  std::size_t row_bytes() const { return row_bytes_; }
  // Rows [first, first + count) into `out`, count · row_bytes(). Errors, unnamed (row and column
  // are): kBadInput for a weight that is not finite or too large for the type.
  Status encode(std::size_t first, std::size_t count, std::span<std::byte> out, int threads) const;

 private:
  BlockEncoder(const BlockEncoding& encoding, std::size_t rows, std::size_t cols, RowSource source);
  Status measure(int threads);
  Status encode_row(std::size_t row, std::span<const float> weights, std::uint8_t* out) const;
  void encode_blocks(std::span<const float> weights, const Magnitudes& shared,
                     std::uint8_t* out) const;

  BlockEncoding encoding_;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_bytes_ = 0;
  RowSource source_;
  Magnitudes tensor_;  // of all weights, if the scope is the tensor
};

// All rows at once.
Result<std::vector<std::byte>> encode_tensor(const BlockEncoding& encoding, std::size_t rows,
                                             std::size_t cols, const RowSource& source,
                                             int threads);

}  // namespace bankai::packer
