#include "kernels/group_panels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/matmul.h"
#include "kernels/panel_access.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kRows = 45;
constexpr std::size_t kGroups = 5;
constexpr std::size_t kCols = 128 * kGroups;
constexpr std::size_t kTokens = 9;

// Any bits; scales between 2^-7 and 2.
std::vector<PanelLine> random_lines(Draws& draws, PanelFormat format) {
  const std::size_t bytes = panels_bytes({format, nullptr, kRows, kCols});
  std::vector<PanelLine> lines(bytes / kLineBytes);
  const std::size_t run_lines = panel_format_info(format).run_lines;
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::size_t j = 0; j < kLineBytes; ++j)
      lines[i].bytes[j] = i % run_lines == 0 && j % 2 == 1
                              ? static_cast<std::uint8_t>(0x20U + draws.below(0x20))
                              : static_cast<std::uint8_t>(draws.bits());
  return lines;
}

// Tokens 2 and 5 have outliers in group 3.
ActivationBlock make_activations(Draws& draws, ActivationMode mode) {
  ActivationBlock block;
  block.resize(mode, kTokens, kCols);
  for (std::size_t t = 0; t < kTokens; ++t) {
    std::vector<float> x = draws.ordinary(kCols);
    if (t == 2 || t == 5) x[3 * 128 + t] = 700.0F;
    block.set_token(*all_kernels().front(), t, x.data());
  }
  return block;
}

std::vector<float> product(const KernelTable& table, const Panels& weights,
                           const ActivationBlock& block) {
  std::vector<float> out(block.tokens() * weights.rows);
  matmul(table, weights, block, 0, block.tokens(), out.data(), weights.rows);
  return out;
}

// The weight as a double, with its scale.
double weight_of(const Panels& panels, std::size_t row, std::size_t col) {
  return panel_weight(panels, row, col) *
         static_cast<double>(f16_to_float(panel_scale(panels, row, col)));
}

TEST(GroupPanels, AGroupHasTheSameWeights) {
  Draws draws(61);
  for (const PanelFormatInfo& info : kPanelFormats) {
    SCOPED_TRACE(info.name);
    const std::vector<PanelLine> lines = random_lines(draws, info.format);
    const Panels weights{info.format, lines[0].bytes, kRows, kCols};
    for (std::size_t group = 0; group < kGroups; ++group) {
      GuardedBuffer<std::uint8_t> memory(group_lines(weights) * kLineBytes);
      const Panels slice = slice_group(weights, group, memory.data());
      ASSERT_EQ(slice.rows, kRows);
      ASSERT_EQ(slice.cols, 128U);
      ASSERT_EQ(panels_bytes(slice), group_lines(weights) * kLineBytes);
      for (std::size_t r = 0; r < kRows; ++r)
        for (std::size_t c = 0; c < 128; ++c)
          ASSERT_EQ(weight_of(slice, r, c), weight_of(weights, r, 128 * group + c));
    }
  }
}

// By the definition of the product, from the integers of the whole block: one rounding of
// float(s) · (d · scale) for each group, and the chain of them is the whole product.
TEST(GroupPanels, TheProductIsTheShareOfTheGroupInEverySum) {
  Draws draws(62);
  const std::vector<PanelLine> lines = random_lines(draws, PanelFormat::kOneBit);
  const Panels weights{PanelFormat::kOneBit, lines[0].bytes, kRows, kCols};
  std::vector<PanelLine> memory(group_lines(weights));
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    const ActivationBlock block = make_activations(draws, mode);
    const Activations view = block.integers(0, kTokens);
    ASSERT_NE(view.low, nullptr);
    std::vector<float> chained(kTokens * kRows);
    ActivationBlock part;  // kept, as a caller would
    for (std::size_t group = 0; group < kGroups; ++group) {
      part.take_group(block, group);
      const Panels slice = slice_group(weights, group, memory[0].bytes);
      std::vector<float> expected(kTokens * kRows);
      for (std::size_t t = 0; t < kTokens; ++t)
        for (std::size_t r = 0; r < kRows; ++r) {
          std::int32_t dot = 0;
          for (std::size_t c = 128 * group; c < 128 * (group + 1); ++c)
            dot += panel_weight(weights, r, c) *
                   (255 * view.high[t * kCols + c] + view.low[t * kCols + c]);
          const float scale =
              f16_to_float(panel_scale(weights, r, 128 * group)) * view.scales[t * kGroups + group];
          const std::size_t i = t * kRows + r;
          expected[i] = static_cast<float>(dot) * scale;
          chained[i] = std::fma(static_cast<float>(dot), scale, chained[i]);
        }
      for_each_supported_table([&](const KernelTable& table) {
        expect_same_bits(product(table, slice, part), expected, "group " + std::to_string(group));
      });
    }
    for_each_supported_table([&](const KernelTable& table) {
      expect_same_bits(product(table, weights, block), chained, "all groups, chained");
    });
  }
}

TEST(GroupPanels, TheSharesAddUpToTheProductOfTheWidenedMatrices) {
  Draws draws(63);
  const std::vector<PanelLine> lines = random_lines(draws, PanelFormat::kOneBit);
  const Panels weights{PanelFormat::kOneBit, lines[0].bytes, kRows, kCols};
  std::vector<PanelLine> memory(group_lines(weights));
  const KernelTable& table = **select_kernel("");
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    const ActivationBlock block = make_activations(draws, mode);
    std::vector<float> x(kTokens * kCols);
    block.widen(0, kTokens, x.data());
    std::vector<double> sums(kTokens * kRows);
    ActivationBlock part;
    for (std::size_t group = 0; group < kGroups; ++group) {
      part.take_group(block, group);
      const std::vector<float> share =
          product(table, slice_group(weights, group, memory[0].bytes), part);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(share[i]);
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t r = 0; r < kRows; ++r) {
        double sum = 0.0;
        double magnitude = 0.0;
        for (std::size_t c = 0; c < kCols; ++c) {
          const double term = weight_of(weights, r, c) * static_cast<double>(x[t * kCols + c]);
          sum += term;
          magnitude += std::fabs(term);
        }
        ASSERT_NEAR(sums[t * kRows + r], sum, magnitude * 0x1p-22);
      }
  }
}

// An outlier in one group does not make the others wide.
TEST(GroupPanels, AGroupOfActivationsIsWideWhereItNeedsToBe) {
  Draws draws(64);
  const ActivationBlock block = make_activations(draws, ActivationMode::kA8);
  ActivationBlock part;
  for (std::size_t group = 0; group < kGroups; ++group) {
    part.take_group(block, group);
    ASSERT_EQ(part.tokens(), kTokens);
    ASSERT_EQ(part.cols(), 128U);
    for (std::size_t t = 0; t < kTokens; ++t) {
      EXPECT_EQ(part.is_wide(t), group == 3 && (t == 2 || t == 5));
      EXPECT_TRUE(std::equal(part.floats(t), part.floats(t) + 128, block.floats(t) + 128 * group));
    }
  }
  part.take_group(make_activations(draws, ActivationMode::kA16), 0);
  EXPECT_TRUE(part.is_wide(0));
}

TEST(GroupPanels, AGroupThatDoesNotExistStopsTheProgram) {
  Draws draws(65);
  PanelLine line;
  EXPECT_DEATH(slice_group({PanelFormat::kOneBit, line.bytes, 0, kCols}, kGroups, line.bytes),
               "out of range");
  ActivationBlock part;
  EXPECT_DEATH(part.take_group(make_activations(draws, ActivationMode::kA8), kGroups),
               "out of range");
}

}  // namespace
}  // namespace bankai::kernels
