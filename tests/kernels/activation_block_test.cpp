// The finer a8 of ActivationBlock (kernels/matmul.h), by its definition and its laws.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/matmul.h"
#include "kernels/panel_packing.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGroup = 128;

ActivationBlock block_of(const std::vector<std::vector<float>>& tokens, ActivationMode mode) {
  ActivationBlock block;
  block.resize(mode, tokens.size(), tokens[0].size());
  for (std::size_t t = 0; t < tokens.size(); ++t)
    block.set_token(*all_kernels().front(), t, tokens[t].data());
  return block;
}

int value_of(const Activations& view, std::size_t i) {
  return view.low == nullptr ? view.high[i] : 255 * view.high[i] + view.low[i];
}

// Runs of 32 whose magnitudes differ by powers of two from 1 to 2^-12.
std::vector<float> token_with_outliers(Draws& draws, std::size_t cols) {
  std::vector<float> x;
  for (std::size_t first = 0; first < cols; first += 32) {
    const float limit = std::ldexp(1.0F, -static_cast<int>(draws.below(13)));
    for (std::size_t j = 0; j < 32; ++j) x.push_back(draws.symmetric(limit));
  }
  return x;
}

TEST(ActivationBlock, FineDigitsFollowTheirDefinition) {
  Draws draws(51);
  std::size_t shifted_groups = 0;
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> x = token_with_outliers(draws, kGroup);
    const ActivationBlock block = block_of({x}, ActivationMode::kA8);
    const Activations view = block.integers(0, 1);
    const auto magnitude = [&](std::size_t first, std::size_t count) {
      float largest = 0.0F;
      for (std::size_t i = first; i < first + count; ++i)
        largest = std::max(largest, std::fabs(x[i]));
      return largest;
    };
    const float largest = magnitude(0, kGroup);
    int shift[4] = {};
    int top = 0;
    for (std::size_t run = 0; run < 4; ++run) {
      for (const int k : {4, 5, 6, 7})
        if (std::ldexp(magnitude(32 * run, 32), k) <= largest) shift[run] = k;
      top = std::max(top, shift[run]);
    }
    shifted_groups += top > 0 ? 1U : 0U;
    ASSERT_EQ(view.low != nullptr, top > 0) << "a second plane only where it is needed";
    ASSERT_EQ(view.scales[0], std::ldexp(largest / 127.0F, -top));
    for (std::size_t i = 0; i < kGroup; ++i) {
      const float steps = std::ldexp(127.0F / largest, shift[i / 32]);
      ASSERT_EQ(value_of(view, i), static_cast<int>(std::rint(x[i] * steps))
                                       << (top - shift[i / 32]));
    }
  }
  EXPECT_GT(shifted_groups, 50U);
  EXPECT_LT(shifted_groups, 200U);
}

TEST(ActivationBlock, WithoutOutliersA8IsTheKernelsOwn) {
  Draws draws(52);
  const KernelTable& table = *all_kernels().front();
  const std::vector<float> x = draws.ordinary(3 * kGroup);
  const ActivationBlock block = block_of({x}, ActivationMode::kA8);
  std::vector<std::int8_t> high(x.size());
  std::vector<float> scales(3);
  table.quantize_a8(x.data(), x.size(), high.data(), scales.data());
  const Activations view = block.integers(0, 1);
  EXPECT_EQ(view.low, nullptr);
  EXPECT_EQ(std::vector<std::int8_t>(view.high, view.high + x.size()), high);
  EXPECT_EQ(std::vector<float>(view.scales, view.scales + 3), scales);
}

TEST(ActivationBlock, GroupsThatAreNotFiniteHaveNoDigits) {
  std::vector<float> x(2 * kGroup, 0.001F);
  x[5] = std::numeric_limits<float>::infinity();
  x[kGroup + 5] = std::numeric_limits<float>::quiet_NaN();
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    const ActivationBlock block = block_of({x}, mode);
    const Activations view = block.integers(0, 1);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(value_of(view, i), 0);
    EXPECT_TRUE(std::isnan(view.scales[0]));
    EXPECT_TRUE(std::isnan(view.scales[1]));
  }
}

TEST(ActivationBlock, NegationNegatesEveryValue) {
  Draws draws(53);
  const std::vector<float> x = token_with_outliers(draws, 8 * kGroup);
  std::vector<float> minus_x = x;
  for (float& value : minus_x) value = -value;
  const ActivationBlock block = block_of({x, minus_x}, ActivationMode::kA8);
  const Activations a = block.integers(0, 1);
  const Activations b = block.integers(1, 1);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(value_of(a, i), -value_of(b, i));
}

// Plain tokens, one with outliers and one that is not finite.
TEST(ActivationBlock, WidensToScaleTimesInteger) {
  Draws draws(55);
  constexpr std::size_t kCols = 3 * kGroup;
  std::vector<std::vector<float>> tokens;
  for (int t = 0; t < 5; ++t) tokens.push_back(draws.ordinary(kCols));
  tokens[3] = token_with_outliers(draws, kCols);
  tokens[3][7] = 1.0F;
  tokens[4][kGroup] = std::numeric_limits<float>::infinity();
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    const ActivationBlock block = block_of(tokens, mode);
    constexpr std::size_t kFirst = 1;
    const Activations view = block.integers(kFirst, 4);
    GuardedBuffer<float> widened(4 * kCols);
    block.widen(kFirst, 4, widened.data());
    for (std::size_t i = 0; i < 4 * kCols; ++i) {
      // Exact in double: 24 bits times 15.
      const double product =
          static_cast<double>(view.scales[i / kGroup]) * static_cast<double>(value_of(view, i));
      ASSERT_TRUE(same_bits(widened.data()[i], static_cast<float>(product))) << i;
    }
    EXPECT_TRUE(std::isnan(widened.data()[3 * kCols + kGroup + 1]));
  }
}

// Tokens with and without outliers in one block: how they are put together must not show.
TEST(ActivationBlock, AProductDoesNotDependOnTheTokensBesideIt) {
  Draws draws(54);
  constexpr std::size_t kCols = 4 * kGroup;
  constexpr std::size_t kRows = 19;
  constexpr std::size_t kTokens = 70;
  std::vector<std::uint8_t> blocks(kRows * kCols / kGroup * 18);
  for (std::size_t i = 0; i < blocks.size(); ++i)  // a scale near 1, and any bits
    blocks[i] = i % 18 == 1 ? std::uint8_t{0x3C} : static_cast<std::uint8_t>(draws.bits());
  const WeightRows rows{TensorType::kQ1_0, blocks.data(), kRows, kCols, blocks.size() / kRows};
  std::vector<PanelLine> lines(panel_bytes(PanelFormat::kOneBit, kCols) / kLineBytes);
  pack_panels(rows, 0, 1, lines[0].bytes);
  const Panels weights{PanelFormat::kOneBit, lines[0].bytes, kRows, kCols};
  std::vector<std::vector<float>> tokens;
  for (std::size_t t = 0; t < kTokens; ++t)
    tokens.push_back(t / 7 % 3 == 0 ? token_with_outliers(draws, kCols) : draws.ordinary(kCols));
  const ActivationBlock together = block_of(tokens, ActivationMode::kA8);
  for_each_supported_table([&](const KernelTable& table) {
    std::vector<float> all(kTokens * kRows);
    matmul(table, weights, together, 0, kTokens, all.data(), kRows);
    for (std::size_t t = 0; t < kTokens; ++t) {
      const ActivationBlock alone = block_of({tokens[t]}, ActivationMode::kA8);
      std::vector<float> one(kRows);
      matmul(table, weights, alone, 0, 1, one.data(), kRows);
      for (std::size_t r = 0; r < kRows; ++r) ASSERT_EQ(one[r], all[t * kRows + r]) << t;
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
