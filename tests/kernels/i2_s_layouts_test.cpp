#include "kernels/i2_s_layouts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/ternary_blocks.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kRows = 8;
constexpr std::size_t kCols = 384;

// Where the code of a weight is: byte of the tensor, and shift.
struct Place {
  std::size_t byte;
  unsigned shift;
};

Place place_of(I2sLayout layout, std::size_t row, std::size_t col) {
  const auto shift = [](std::size_t part) { return static_cast<unsigned>(6 - 2 * part); };
  switch (layout) {
    case I2sLayout::kRuns128:
      return {row * kCols / 4 + col / 128 * 32 + col % 32, shift(col % 128 / 32)};
    case I2sLayout::kRuns64:
      return {row * kCols / 4 + col / 64 * 16 + col % 16, shift(col % 64 / 16)};
    case I2sLayout::kFourRows: break;
  }
  return {row / 4 * kCols + col, shift(row % 4)};
}

TEST(I2sLayouts, EveryLayoutGivesTheSameWeights) {
  Draws draws(81);
  std::vector<std::uint8_t> weights(kRows * kCols);  // codes
  for (std::uint8_t& code : weights) code = static_cast<std::uint8_t>(draws.below(4));
  for (const I2sLayoutInfo& info : kI2sLayouts) {
    SCOPED_TRACE(std::string(info.name));
    std::vector<std::uint8_t> tensor(kRows * kCols / 4);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Place place = place_of(info.layout, i / kCols, i % kCols);
      tensor[place.byte] =
          static_cast<std::uint8_t>(tensor[place.byte] | weights[i] << place.shift);
    }
    std::vector<std::uint8_t> rearranged(tensor.size(), 0xA5);
    rearrange_i2_s(info.layout, tensor.data(), kRows, kCols, rearranged.data());
    std::vector<std::uint8_t> decoded(weights.size());
    for (std::size_t first = 0; first < weights.size(); first += 128)
      decode_ternary_block(TensorType::kI2_S, rearranged.data() + first / 4,
                           decoded.data() + first);
    EXPECT_EQ(decoded, weights);
    EXPECT_EQ(rearranged == tensor, info.layout == I2sLayout::kRuns128);
  }
}

TEST(I2sLayouts, AreFoundByName) {
  for (const I2sLayoutInfo& info : kI2sLayouts) {
    EXPECT_EQ(find_i2s_layout(info.name), &info);
    EXPECT_EQ(&i2s_layout_info(info.layout), &info);
  }
  EXPECT_EQ(find_i2s_layout("32/128"), nullptr);
}

TEST(I2sLayouts, BrokenPreconditionsStopTheProgram) {
  const std::vector<std::uint8_t> codes(6 * 32);
  std::vector<std::uint8_t> out(codes.size());
  EXPECT_DEATH(rearrange_i2_s(I2sLayout::kFourRows, codes.data(), 6, 128, out.data()), "whole");
  EXPECT_DEATH(rearrange_i2_s(I2sLayout::kRuns64, codes.data(), 1, 64, out.data()), "whole");
}

}  // namespace
}  // namespace bankai::kernels
