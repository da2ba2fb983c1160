// Products of a binary model with a float residual: integer sums of signs, then the affine function
// of each channel, then perhaps the sign of that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/binary_parts.h"
#include "model/binary_residual_model.h"

namespace bankai::model {

// scale · sum + offset of a channel, or what else the rules say; in float, in this order.
class ChannelAffine {
 public:
  // Keeps a reference to the channels.
  ChannelAffine(const BinaryChannels& channels, const BinaryResidualRules& rules);

  float operator()(std::size_t row, std::int32_t sum) const {
    const float scaled = static_cast<float>(sum) * sum_scale_;
    return offset_before_scale_ ? scale_[row] * (scaled + offset_[row])
                                : scale_[row] * scaled + offset_[row];
  }
  // Whether larger sums give smaller values; else they never do.
  bool falls(std::size_t row) const { return scale_[row] < 0.0F; }

 private:
  const float* scale_;
  const float* offset_;
  float sum_scale_;
  bool offset_before_scale_;
};

// affine(W b), for the residual and the logits.
struct AffineProduct {
  AffineProduct(const BinaryChannels& channels, const BinaryResidualRules& rules);

  // (tokens, words of cols) → (tokens, rows).
  void run(const kernels::KernelTable& table, const std::uint64_t* in, std::size_t tokens,
           float* out) const;

  std::size_t rows, cols;
  std::vector<std::uint64_t> panels;
  ChannelAffine affine;
};

// sign(affine(W b)) as comparisons of integers: rounding keeps the affine function of a row from
// rising where it falls and from falling where it rises, so that one threshold of the sum says
// where it is at least 0. Rows that fall are multiplied with their bits complemented.
struct SignProduct {
  SignProduct(const BinaryChannels& channels, const BinaryResidualRules& rules);

  // (tokens, words of cols) → (tokens, words of rows).
  void run(const kernels::KernelTable& table, const std::uint64_t* in, std::size_t tokens,
           std::uint64_t* out) const {
    table.xnor_threshold(linear.panels.data(), linear.rows, in, tokens, linear.cols,
                         linear.thresholds.data(), out);
  }

  PackedLinear linear;
  std::vector<std::uint8_t> falls;  // (rows)
};

// The signs of rows of floats after a norm, sign(0) = +1: (tokens, width) → (tokens, words of it).
void sign_norms(const kernels::KernelTable& table, const float* x, std::size_t tokens,
                const std::vector<float>& gamma, float epsilon, std::uint64_t* bits);

}  // namespace bankai::model
