#include "model/binary_residual_products.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/dispatch.h"

namespace bankai::model {
namespace {

constexpr std::size_t kCols = 128;

// A row for every pair of these as scale and offset, of weights +1.
BinaryChannels all_channels() {
  const float infinity = std::numeric_limits<float>::infinity();
  const float values[] = {0.0F,   -0.0F,   1.0F,  -1.0F,  0.05F,    -0.05F,    6.25F,        -7.0F,
                          1e-44F, -1e-44F, 3e38F, -3e38F, infinity, -infinity, std::nanf("")};
  BinaryChannels channels;
  for (const float scale : values)
    for (const float offset : values) {
      channels.scale.push_back(scale);
      channels.offset.push_back(offset);
    }
  const std::size_t rows = channels.scale.size();
  channels.weights = {rows, kCols, std::vector<std::uint64_t>(rows * 2, ~std::uint64_t{0})};
  return channels;
}

// One token for every sum that there is.
std::vector<std::uint64_t> all_inputs() {
  std::vector<std::uint64_t> inputs((kCols + 1) * 2);
  for (std::size_t token = 0; token <= kCols; ++token)
    for (std::size_t i = 0; i < token; ++i)
      inputs[token * 2 + i / 64] |= std::uint64_t{1} << i % 64;
  return inputs;
}

TEST(SignProduct, SaysForEverySumWhatTheAffineFunctionSays) {
  const BinaryChannels channels = all_channels();
  const std::vector<std::uint64_t> inputs = all_inputs();
  const kernels::KernelTable& table = **kernels::select_kernel("");
  for (const bool offset_first : {false, true})
    for (const bool by_root : {false, true}) {
      BinaryResidualRules rules;
      rules.offset_before_scale = offset_first;
      rules.divide_by_root = by_root;
      const SignProduct product(channels, rules);
      const AffineProduct floats(channels, rules);
      const std::size_t words = product.linear.out_words();
      std::vector<std::uint64_t> signs((kCols + 1) * words);
      std::vector<float> values((kCols + 1) * floats.rows);
      product.run(table, inputs.data(), kCols + 1, signs.data());
      floats.run(table, inputs.data(), kCols + 1, values.data());
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t token = i / floats.rows, row = i % floats.rows;
        const bool sign = (signs[token * words + row / 64] >> row % 64 & 1U) != 0;
        ASSERT_EQ(sign, values[i] >= 0.0F)
            << channels.scale[row] << " " << channels.offset[row] << " " << token;
        const auto sum = static_cast<std::int32_t>(2 * token) - static_cast<std::int32_t>(kCols);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]),
                  std::bit_cast<std::uint32_t>(floats.affine(row, sum)));
      }
    }
}

TEST(SignNorms, ZeroCountsAsPositive) {
  std::vector<float> values(140, -1.0F);
  values[0] = 0.0F;
  values[3] = -0.0F;
  values[64] = 2.0F;
  values[70 + 69] = 1.0F;
  std::uint64_t bits[4];
  sign_norms(**kernels::select_kernel(""), values.data(), 2, std::vector<float>(70, 1.0F), 0.0F,
             bits);
  EXPECT_EQ(bits[0], 9U);
  EXPECT_EQ(bits[1], 1U);
  EXPECT_EQ(bits[2], 0U);
  EXPECT_EQ(bits[3], 32U);
}

}  // namespace
}  // namespace bankai::model
