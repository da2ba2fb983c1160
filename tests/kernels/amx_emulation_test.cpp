// The AMX products run on tiles in plain C++, so that all but the tile instructions themselves is
// tested on any machine with AVX-512. Where the machine has AMX, the same shapes run on its tiles
// too.
#include "tests/kernels/amx_emulation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cpu_features.h"
#include "kernels/panel_access.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

class AmxEmulation : public ::testing::Test {
 protected:
  void SetUp() override {
    if ((cpu_features() & kCpuAvx512) == 0) GTEST_SKIP() << "this machine has no AVX-512";
  }
};

struct Shape {
  std::size_t rows;
  std::size_t tokens;
  std::size_t cols;
};

// Random weights with scales near 0.01, random digits; all buffers end at a page without access.
void expect_scalar_bits(Draws& draws, PanelFormat format, const Shape& shape, bool a16) {
  const Panels extent = {format, nullptr, shape.rows, shape.cols};
  GuardedBuffer<std::uint8_t> lines(panels_bytes(extent));
  for (std::size_t i = 0; i < panels_bytes(extent); ++i)
    lines.data()[i] = static_cast<std::uint8_t>(draws.bits());
  const Panels weights = {format, lines.data(), shape.rows, shape.cols};
  const std::size_t run_cols = panel_format_info(format).run_cols;
  for (std::size_t row = 0; row < num_panels(shape.rows) * kPanelRows; ++row)
    for (std::size_t col = 0; col < shape.cols; col += run_cols) {
      const std::ptrdiff_t run = panel_run(weights, row, col) - weights.lines;
      std::uint8_t* scale = lines.data() + run + 2 * panel_lane(row % kPanelRows);
      scale[1] = static_cast<std::uint8_t>(0x20U + scale[1] % 16U);
    }
  std::vector<std::int8_t> digits(shape.tokens * shape.cols);
  for (std::int8_t& digit : digits) digit = draws.digit();
  GuardedBuffer<std::int8_t> high(digits);
  for (std::int8_t& digit : digits) digit = draws.digit();
  GuardedBuffer<std::int8_t> low(digits);
  std::vector<float> steps(shape.tokens * shape.cols / 128);
  for (float& step : steps) step = draws.symmetric(0.1F) + 0.11F;
  GuardedBuffer<float> scales(steps);
  const Activations activations = {.high = high.data(),
                                   .low = a16 ? low.data() : nullptr,
                                   .scales = scales.data(),
                                   .tokens = shape.tokens,
                                   .cols = shape.cols};
  const std::size_t stride = shape.rows + draws.below(3);
  const std::size_t out_size = shape.rows == 0 ? 0 : (shape.tokens - 1) * stride + shape.rows;
  GuardedBuffer<float> expected(std::vector<float>(out_size, -12345.0F));
  kScalarKernels.gemm[static_cast<std::size_t>(format)](weights, activations, expected.data(),
                                                        stride);
  const std::string text = std::string(panel_format_info(format).name) +
                           (a16 ? ", a16, " : ", a8, ") + std::to_string(shape.rows) + " rows, " +
                           std::to_string(shape.tokens) + " tokens, " + std::to_string(shape.cols) +
                           " columns";
  GuardedBuffer<float> emulated(std::vector<float>(out_size, -12345.0F));
  emulated_amx_gemm(weights, activations, emulated.data(), stride);
  expect_same_bits(emulated.values(), expected.values(), text);
  EXPECT_EQ(emulated_amx_faults(), 0U);
  if (!is_supported(kAmxKernels)) return;
  GuardedBuffer<float> actual(std::vector<float>(out_size, -12345.0F));
  kAmxKernels.gemm[static_cast<std::size_t>(format)](weights, activations, actual.data(), stride);
  expect_same_bits(actual.values(), expected.values(), text + ", tiles of the machine");
}

TEST_F(AmxEmulation, GivesTheScalarBits) {
  Draws draws(71);
  for (const PanelFormatInfo& info : kPanelFormats) {
    for (const bool a16 : {false, true}) {
      for (std::size_t tokens = 16; tokens <= 66; tokens += tokens < 34 ? 1 : 7) {
        const Shape shape = {1 + draws.below(40), tokens, 128 * (1 + draws.below(6))};
        expect_scalar_bits(draws, info.format, shape, a16);
        if (HasFatalFailure()) return;
      }
      for (const std::size_t rows : {0U, 1U, 15U, 16U, 17U, 31U, 32U, 33U, 64U, 65U}) {
        expect_scalar_bits(draws, info.format, {rows, 16 + draws.below(20), 640}, a16);
        if (HasFatalFailure()) return;
      }
      expect_scalar_bits(draws, info.format, {5, 20, 0}, a16);
    }
  }
}

// More than are prepared at once; the last of them are fewer than a tile has.
TEST_F(AmxEmulation, GivesTheScalarBitsForManyTokensAndColumns) {
  Draws draws(72);
  for (const PanelFormatInfo& info : kPanelFormats) {
    for (const bool a16 : {false, true}) {
      for (const std::size_t tokens : {145U, 160U, 305U, 309U, 321U}) {
        expect_scalar_bits(draws, info.format, {3, tokens, 256}, a16);
        if (HasFatalFailure()) return;
      }
      expect_scalar_bits(draws, info.format, {2, 17, 128 * 81}, a16);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(AmxEmulation, PeakCountsFourTilesARound) {
  EXPECT_EQ(emulated_amx_int8_peak(0), 0U);
  EXPECT_EQ(emulated_amx_int8_peak(3), 3U * 4 * 16 * 16 * 64);
  EXPECT_EQ(emulated_amx_faults(), 0U);
}

}  // namespace
}  // namespace bankai::kernels
