#include "packer/lossy_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/counter_rng.h"
#include "kernels/half.h"
#include "packer/block_encoder.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

constexpr std::size_t kRows = 8;
constexpr std::size_t kCols = 512;

// Weights of which each block of 32 has a size of its own.
LossyTensor random_tensor(TensorType type, std::uint64_t seed) {
  const CounterRng rng(seed);
  const auto source = [&](std::size_t row, float* out) {
    for (std::size_t col = 0; col < kCols; ++col) {
      const std::uint64_t index = row * kCols + col;
      const double size = 0.5 + rng.uniform((index / 32) | (std::uint64_t{1} << 40U));
      out[col] = static_cast<float>(size * (2.0 * rng.uniform(index) - 1.0));
    }
  };
  BlockEncoding encoding;
  encoding.type = type;
  return {type, encode_tensor(encoding, kRows, kCols, source, 1).value()};
}

std::vector<float> widened(const LossyTensor& tensor) {
  std::vector<float> values(kRows * kCols);
  for (std::size_t row = 0; row < kRows; ++row)
    kernels::widen_row(tensor.weights(kRows, kCols), row, values.data() + row * kCols);
  return values;
}

LossyTensor apply(const LossyTensor& tensor, const LossyStep& step,
                  const TensorImportance& importance = {}, int threads = 1) {
  return apply_step(tensor.weights(kRows, kCols), step, importance, threads).value();
}

const TensorType kAllTypes[] = {TensorType::kF32,   TensorType::kF16,   TensorType::kBF16,
                                TensorType::kQ8_0,  TensorType::kQ1_0,  TensorType::kQ2_0,
                                TensorType::kTQ1_0, TensorType::kTQ2_0, TensorType::kPQ2_0};

TEST(LossySteps, TheFirstIsExactAndChangesNothing) {
  for (const TensorType type : kAllTypes) {
    const LossyTensor tensor = random_tensor(type, 1);
    const auto steps = lossy_steps(tensor.weights(kRows, kCols), TensorRole::kMatrix, false);
    ASSERT_GT(steps.size(), 1U);
    EXPECT_TRUE(steps.front().is_exact());
    EXPECT_EQ(apply(tensor, steps.front()).bytes, tensor.bytes);
  }
}

TEST(LossySteps, EveryStepGivesATensorOfTheSameShapeWhateverTheThreads) {
  TensorImportance importance;
  for (std::size_t row = 0; row < kRows; ++row) {
    importance.rows.push_back(1.0 + static_cast<double>(row % 5));
    importance.is_row_used.push_back(row % 3 != 0);
  }
  for (std::size_t col = 0; col < kCols; ++col)
    importance.cols.push_back(1.0 + static_cast<double>(col % 7));
  for (const TensorType type : kAllTypes)
    for (const TensorRole role : {TensorRole::kMatrix, TensorRole::kTokenTable}) {
      const LossyTensor tensor = random_tensor(type, 2);
      for (const LossyStep& step : lossy_steps(tensor.weights(kRows, kCols), role, true)) {
        SCOPED_TRACE(step_name(step));
        const LossyTensor after = apply(tensor, step, importance);
        const kernels::WeightRows rows = after.weights(kRows, kCols);
        EXPECT_EQ(after.bytes.size(), kRows * rows.row_bytes);
        EXPECT_EQ(apply(tensor, step, importance, 3).bytes, after.bytes);
        const double loss = estimated_loss(tensor.weights(kRows, kCols), rows, importance, 1);
        EXPECT_TRUE(std::isfinite(loss));
        EXPECT_EQ(loss == 0.0, widened(after) == widened(tensor));
        EXPECT_EQ(loss, estimated_loss(tensor.weights(kRows, kCols), rows, importance, 2));
      }
    }
}

TEST(LossySteps, PruningRemovesTheBlocksOfLeastEffect) {
  const LossyTensor tensor = random_tensor(TensorType::kQ1_0, 3);
  TensorImportance importance;  // the second half of the columns and the last rows count more
  for (std::size_t col = 0; col < kCols; ++col) importance.cols.push_back(col < 256 ? 1.0 : 50.0);
  for (std::size_t row = 0; row < kRows; ++row) importance.rows.push_back(row < 4 ? 1.0 : 50.0);
  const LossyTensor after = apply(tensor, {.pruned_64ths = 16}, importance);
  const std::vector<float> values = widened(after), before = widened(tensor);
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0.0F) {
      ++zeros;
      EXPECT_LT(i / kCols, 4U);
      EXPECT_LT(i % kCols, 256U);
    } else {
      EXPECT_EQ(values[i], before[i]);
    }
  }
  EXPECT_EQ(zeros, kRows * kCols / 4);
}

TEST(LossySteps, SharedScalesAreOneScalePerRowBetweenTheSmallestAndTheLargest) {
  const LossyTensor tensor = random_tensor(TensorType::kQ1_0, 4);
  const std::vector<float> before = widened(tensor);
  const std::vector<float> after = widened(apply(tensor, {.shares_row_scales = true}));
  for (std::size_t row = 0; row < kRows; ++row) {
    const float scale = std::abs(after[row * kCols]);
    float smallest = 1e9F, largest = 0.0F;
    for (std::size_t i = row * kCols; i < (row + 1) * kCols; ++i) {
      EXPECT_EQ(std::abs(after[i]), scale);
      EXPECT_EQ(std::signbit(after[i]), std::signbit(before[i]));
      smallest = std::min(smallest, std::abs(before[i]));
      largest = std::max(largest, std::abs(before[i]));
    }
    EXPECT_GE(scale, smallest);
    EXPECT_LE(scale, largest);
  }
}

TEST(LossySteps, MantissasAreRoundedToTheNearestEvenOne) {
  // All halves: the result has the bits, no multiple of the unit is nearer, ties are even.
  for (std::uint32_t half = 0; half < 0x7C00U; ++half) {
    LossyTensor tensor{TensorType::kF16, std::vector<std::byte>(2)};
    const auto bits = static_cast<std::uint16_t>(half);
    std::memcpy(tensor.bytes.data(), &bits, 2);
    const LossyTensor after = apply_step(tensor.weights(1, 1), {.mantissa_bits = 4}, {}, 1).value();
    std::uint16_t rounded = 0;
    std::memcpy(&rounded, after.bytes.data(), 2);
    if (half >= 0x7BE0U) {
      EXPECT_EQ(rounded, half);  // would become infinite
      continue;
    }
    ASSERT_EQ(rounded & 0x3FU, 0U);
    const int distance = std::abs(static_cast<int>(rounded) - static_cast<int>(half));
    ASSERT_LE(distance, 32);
    if (distance == 32) {
      ASSERT_EQ(rounded & 0x40U, 0U);
    }
  }
}

TEST(LossySteps, UnusedRowsAreDroppedOnlyWhenAsked) {
  const LossyTensor tensor = random_tensor(TensorType::kQ8_0, 5);
  const kernels::WeightRows rows = tensor.weights(kRows, kCols);
  for (const LossyStep& step : lossy_steps(rows, TensorRole::kTokenTable, false)) {
    EXPECT_FALSE(step.drops_unused_rows);
    EXPECT_EQ(step.pruned_64ths, 0U);
  }
  TensorImportance importance;
  importance.is_row_used.assign(kRows, true);
  importance.is_row_used[7] = false;
  const std::vector<float> before = widened(tensor);
  const std::vector<float> after = widened(apply(tensor, {.drops_unused_rows = true}, importance));
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_EQ(after[i], i / kCols == 7 ? 0.0F : before[i]);
}

TEST(EstimatedLoss, WeighsSquaresByRowsAndColumns) {
  LossyTensor before{TensorType::kF32, std::vector<std::byte>(4 * 4)};
  LossyTensor after = before;
  const float values[] = {0.0F, 2.0F, 0.0F, 3.0F};
  std::memcpy(after.bytes.data(), values, sizeof values);
  const TensorImportance importance{{1.0, 10.0}, {5.0, 7.0}, {}};
  EXPECT_EQ(estimated_loss(before.weights(2, 2), after.weights(2, 2), importance, 1),
            0.5 * (7.0 * 4.0 + 10.0 * 7.0 * 9.0));
  EXPECT_EQ(estimated_loss(before.weights(2, 2), after.weights(2, 2), {}, 1), 0.5 * 13.0);
}

}  // namespace
}  // namespace bankai::packer
