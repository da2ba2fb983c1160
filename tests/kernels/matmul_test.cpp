#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/panel_packing.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kRows = 70;
constexpr std::size_t kCols = 512;
constexpr std::size_t kTokens = 5;

// Random weights of a type with sensible scales, one byte past an aligned start.
struct Weights {
  std::vector<std::uint8_t> bytes;
  WeightRows rows;
};

// The block's scale, or its only value.
void set_scale(TensorType type, float value, std::uint8_t* block) {
  const std::uint16_t half = float_to_f16(value);
  const auto upper = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16U);
  switch (type) {
    case TensorType::kF32: std::memcpy(block, &value, sizeof value); return;
    case TensorType::kBF16: std::memcpy(block, &upper, sizeof upper); return;
    case TensorType::kTQ1_0: std::memcpy(block + 52, &half, sizeof half); return;
    case TensorType::kTQ2_0: std::memcpy(block + 64, &half, sizeof half); return;
    case TensorType::kI2_S: return;  // has none
    default: std::memcpy(block, &half, sizeof half); return;
  }
}

Weights make_weights(Draws& draws, TensorType type) {
  const TensorTypeInfo& info = tensor_type_info(type);
  const std::size_t row_bytes = kCols / info.block_weights * info.block_bytes;
  Weights w;
  w.bytes.resize(1 + kRows * row_bytes);
  std::uint8_t* data = w.bytes.data() + 1;
  for (std::size_t i = 0; i < kRows * row_bytes; i += info.block_bytes) {
    for (std::size_t j = 0; j < info.block_bytes; ++j)
      data[i + j] = static_cast<std::uint8_t>(draws.bits());
    set_scale(type, draws.symmetric(2.0F), data + i);
  }
  w.rows = {.type = type, .data = data, .rows = kRows, .cols = kCols, .row_bytes = row_bytes};
  return w;
}

ActivationBlock make_activations(const KernelTable& table, Draws& draws, ActivationMode mode) {
  ActivationBlock block;
  block.resize(mode, kTokens, kCols);
  for (std::size_t t = 0; t < kTokens; ++t) block.set_token(table, t, draws.ordinary(kCols).data());
  return block;
}

// Weights as they are multiplied: packed types as panels, float types as they are.
class Multiplied {
 public:
  explicit Multiplied(const WeightRows& rows)
      : rows_(rows), format_(panel_format_of(rows.type)), lines_(num_bytes()) {
    if (format_) pack_panels(rows, 0, num_panels(rows.rows), lines_.data());
  }

  std::vector<float> product(const KernelTable& table, const ActivationBlock& activations,
                             std::size_t first, std::size_t count) const {
    std::vector<float> out(count * rows_.rows);
    if (format_)
      matmul(table, panels(), activations, first, count, out.data(), rows_.rows);
    else
      matmul_floats(table, rows_, activations, first, count, out.data(), rows_.rows);
    return out;
  }
  Panels panels() const { return {*format_, lines_.data(), rows_.rows, rows_.cols}; }

 private:
  std::size_t num_bytes() const {
    return format_ ? panels_bytes({*format_, nullptr, rows_.rows, rows_.cols}) : 0;
  }

  WeightRows rows_;
  std::optional<PanelFormat> format_;
  GuardedBuffer<std::uint8_t> lines_;  // ends at a page, and so is aligned
};

TEST(Matmul, EveryTypeIsCloseToItsWidenedRows) {
  Draws draws(31);
  for (const TensorTypeInfo& info : kTensorTypes) {
    SCOPED_TRACE(std::string(info.name));
    const Weights w = make_weights(draws, info.type);
    const Multiplied weights(w.rows);
    for_each_supported_table([&](const KernelTable& table) {
      const ActivationBlock block = make_activations(table, draws, ActivationMode::kA16);
      const std::vector<float> out = weights.product(table, block, 0, kTokens);
      std::vector<float> row(kCols);
      for (std::size_t r = 0; r < kRows; ++r) {
        widen_row(w.rows, r, row.data());
        for (std::size_t t = 0; t < kTokens; ++t) {
          double sum = 0.0;
          double magnitude = 0.0;
          for (std::size_t c = 0; c < kCols; ++c) {
            const double term =
                static_cast<double>(row[c]) * static_cast<double>(block.floats(t)[c]);
            sum += term;
            magnitude += std::fabs(term);
          }
          // a16 rounds each activation by at most 1/65024 of its group's largest.
          ASSERT_NEAR(static_cast<double>(out[t * kRows + r]), sum, magnitude * 1e-4) << r;
        }
      }
    });
  }
}

TEST(Matmul, TablesSlicesAndTokenRangesAgreeBitForBit) {
  Draws draws(32);
  for (const TensorTypeInfo& info : kTensorTypes) {
    SCOPED_TRACE(std::string(info.name));
    const Weights w = make_weights(draws, info.type);
    const Multiplied weights(w.rows);
    for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
      const KernelTable& scalar = *all_kernels().front();
      const ActivationBlock block = make_activations(scalar, draws, mode);
      const std::vector<float> all = weights.product(scalar, block, 0, kTokens);
      constexpr std::size_t kFirst = kPanelRows;  // of the slice
      constexpr std::size_t kCount = kPanelRows;
      const Multiplied slice(w.rows.slice(kFirst, kCount));
      for_each_supported_table([&](const KernelTable& table) {
        expect_same_bits(weights.product(table, block, 0, kTokens), all, "whole");
        std::vector<float> part = slice.product(table, block, 2, 3);
        for (int from_panels = 0; from_panels < 2; ++from_panels) {
          for (std::size_t t = 0; t < 3; ++t)
            for (std::size_t r = 0; r < kCount; ++r)
              ASSERT_TRUE(same_bits(part[t * kCount + r], all[(t + 2) * kRows + r + kFirst]));
          if (!panel_format_of(info.type)) break;
          std::fill(part.begin(), part.end(), 0.0F);
          matmul(table, slice_panels(weights.panels(), kFirst / kPanelRows, 1), block, 2, 3,
                 part.data(), kCount);
        }
      });
    }
  }
}

// Some tokens of a8 need two planes of digits: whether all of a call are multiplied with both, or
// these alone once more, gives the same.
TEST(Matmul, WideTokensAmongManyAgreeBitForBit) {
  constexpr std::size_t kMany = 21;
  Draws draws(36);
  const Weights w = make_weights(draws, TensorType::kQ1_0);
  const Multiplied weights(w.rows);
  for (const std::vector<std::size_t>& wide :
       {std::vector<std::size_t>{4}, {4, 19, 20}, {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}) {
    for_each_supported_table([&](const KernelTable& table) {
      ActivationBlock block;
      block.resize(ActivationMode::kA8, kMany, kCols);
      for (std::size_t t = 0; t < kMany; ++t) {
        std::vector<float> x = draws.ordinary(kCols);
        const bool is_wide = std::find(wide.begin(), wide.end(), t) != wide.end();
        if (is_wide) x[200] = 500.0F;
        block.set_token(table, t, x.data());
        ASSERT_EQ(block.is_wide(t), is_wide);
      }
      constexpr std::size_t kFirst = 3;
      std::vector<float> together((kMany - kFirst) * kRows);
      const std::size_t format = static_cast<std::size_t>(weights.panels().format);
      all_kernels().front()->gemm[format](weights.panels(), block.integers(kFirst, kMany - kFirst),
                                          together.data(), kRows);
      expect_same_bits(weights.product(table, block, kFirst, kMany - kFirst), together, "tokens");
    });
  }
}

TEST(Matmul, WidensEveryTypeByItsDefinition) {
  std::vector<float> out(128);
  std::uint8_t q1[18] = {0x00, 0x40, 0x01, 0x80};  // 2.0; bits 0 and 15 set
  widen_row({TensorType::kQ1_0, q1, 1, 128, 18}, 0, out.data());
  for (std::size_t i = 0; i < 128; ++i) EXPECT_EQ(out[i], i == 0 || i == 15 ? 2.0F : -2.0F);

  std::uint8_t q8[2 * 34] = {};
  q8[34] = 0x00;
  q8[35] = 0x38;  // 0.5
  q8[36] = 0x80;  // −128
  q8[67] = 0x7F;
  widen_row({TensorType::kQ8_0, q8, 2, 32, 34}, 1, out.data());
  EXPECT_EQ(out[0], -64.0F);
  EXPECT_EQ(out[1], 0.0F);
  EXPECT_EQ(out[31], 63.5F);

  std::uint8_t halves[4] = {0x00, 0xC0, 0x80, 0x3F};
  widen_row({TensorType::kF16, halves, 1, 2, 4}, 0, out.data());
  EXPECT_EQ(out[0], -2.0F);
  widen_row({TensorType::kBF16, halves, 1, 2, 4}, 0, out.data());
  EXPECT_EQ(out[1], 1.0F);
  const float value = 0.1F;
  std::uint8_t bytes[4];
  std::memcpy(bytes, &value, sizeof value);
  widen_row({TensorType::kF32, bytes, 1, 1, 4}, 0, out.data());
  EXPECT_EQ(out[0], value);
}

TEST(Matmul, UsesTheTableItIsGiven) {
  Draws draws(33);
  KernelTable table = *all_kernels().front();
  table.gemm[static_cast<std::size_t>(PanelFormat::kTwoBit64)] =
      [](const Panels&, const Activations&, float* out, std::size_t) { out[0] = 42.0F; };
  table.dot_f32 = [](const float*, const float*, std::size_t) { return 43.0F; };
  const ActivationBlock block = make_activations(table, draws, ActivationMode::kA8);
  const Weights packed = make_weights(draws, TensorType::kQ2_0);
  const Weights floats = make_weights(draws, TensorType::kF32);
  EXPECT_EQ(Multiplied(packed.rows).product(table, block, 0, 1)[0], 42.0F);
  EXPECT_EQ(Multiplied(floats.rows).product(table, block, 0, 1)[0], 43.0F);
}

TEST(Matmul, ABlockOfActivationsCanBeReused) {
  Draws draws(34);
  const KernelTable& table = *all_kernels().front();
  ActivationBlock block = make_activations(table, draws, ActivationMode::kA16);
  EXPECT_NE(block.integers(0, kTokens).low, nullptr);
  const std::vector<float> x = draws.ordinary(128);
  block.resize(ActivationMode::kA8, 2, 128);
  block.set_token(table, 1, x.data());
  EXPECT_EQ(block.tokens(), 2U);
  EXPECT_EQ(block.cols(), 128U);
  const Activations view = block.integers(1, 1);
  EXPECT_EQ(view.low, nullptr);
  std::vector<std::int8_t> high(128);
  float scale = 0.0F;
  table.quantize_a8(x.data(), 128, high.data(), &scale);
  EXPECT_EQ(view.scales[0], scale);
  EXPECT_EQ(std::memcmp(view.high, high.data(), 128), 0);
  EXPECT_EQ(std::memcmp(block.floats(1), x.data(), 128 * sizeof(float)), 0);
}

TEST(Matmul, BrokenPreconditionsStopTheProgram) {
  Draws draws(35);
  const KernelTable& table = *all_kernels().front();
  const ActivationBlock block = make_activations(table, draws, ActivationMode::kA8);
  float out[kRows];
  const Panels narrow{PanelFormat::kOneBit, nullptr, kRows, 256};
  EXPECT_DEATH(matmul(table, narrow, block, 0, 1, out, kRows), "differ in columns");
  Weights floats = make_weights(draws, TensorType::kF32);
  floats.rows.cols = 256;
  EXPECT_DEATH(matmul_floats(table, floats.rows, block, 0, 1, out, kRows), "differ in columns");
  ActivationBlock odd;
  EXPECT_DEATH(odd.resize(ActivationMode::kA8, 1, 100), "multiple of 128");
}

}  // namespace
}  // namespace bankai::kernels
