#include "core/bit_matrix.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/counter_rng.h"

namespace bankai {
namespace {

constexpr std::size_t kRows = 3;
constexpr std::size_t kCols = 384;
constexpr std::size_t kBlockBytes = 18;

std::vector<std::byte> random_bytes(std::size_t count) {
  const CounterRng rng(1);
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(rng.below(i, 256));
  return bytes;
}

class Q1Matrix : public ::testing::Test {
 protected:
  std::vector<std::byte> bytes_ = random_bytes(kRows * kCols / kGroupCols * kBlockBytes);
  const std::vector<std::byte> original_ = bytes_;
  MutableBitMatrixView matrix_ = MutableBitMatrixView::from_q1_0(bytes_.data(), kRows, kCols);

  // The number of bits that differ from the original, and whether a scale is among them.
  std::size_t num_changed() const {
    std::size_t changed = 0;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      const auto difference = std::to_integer<unsigned>(bytes_[i] ^ original_[i]);
      EXPECT_FALSE(i % kBlockBytes < 2 && difference != 0) << "a scale has changed";
      changed += static_cast<std::size_t>(__builtin_popcount(difference));
    }
    return changed;
  }
};

TEST_F(Q1Matrix, BitsLieWhereTheFormatSays) {
  EXPECT_EQ(matrix_.rows(), kRows);
  EXPECT_EQ(matrix_.cols(), kCols);
  EXPECT_EQ(matrix_.groups_per_row(), 3U);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t col = 0; col < kCols; ++col) {
      const std::size_t block = row * 3 + col / 128;
      const std::byte byte = bytes_[block * kBlockBytes + 2 + col % 128 / 8];
      EXPECT_EQ(matrix_.bit(row, col), (std::to_integer<unsigned>(byte) >> (col % 8) & 1U) != 0);
    }
  }
  EXPECT_EQ(matrix_.group_scale(1, 2), &bytes_[5 * kBlockBytes]);
}

TEST_F(Q1Matrix, FlipsChangeExactlyTheirBits) {
  matrix_.flip_bit(2, 383);
  EXPECT_EQ(num_changed(), 1U);
  EXPECT_EQ(bytes_.back() ^ original_.back(), std::byte{0x80});
  matrix_.flip_bit(2, 383);
  matrix_.flip_group(1, 0);
  EXPECT_EQ(num_changed(), 128U);
  matrix_.flip_group(1, 0);
  matrix_.flip_row(0);
  EXPECT_EQ(num_changed(), kCols);
  matrix_.flip_row(0);
  EXPECT_EQ(bytes_, original_);
}

TEST_F(Q1Matrix, ARowIsItsGroupsAndAGroupItsBits) {
  matrix_.flip_row(1);
  for (std::size_t group = 0; group < 3; ++group) matrix_.flip_group(1, group);
  EXPECT_EQ(bytes_, original_);
  matrix_.flip_group(2, 1);
  for (std::size_t col = 128; col < 256; ++col) matrix_.flip_bit(2, col);
  EXPECT_EQ(bytes_, original_);
}

TEST(BitMatrixView, StridesReachOtherContainers) {
  // Bits and scales in two arrays, as MLX keeps them.
  std::vector<std::byte> bits = random_bytes(kRows * kCols / 8);
  std::vector<std::byte> scales = random_bytes(kRows * kCols / kGroupCols * 2);
  const MutableBitMatrixView apart(bits.data(), scales.data(), kRows, kCols, {48, 16, 6, 2});
  std::vector<std::byte> blocks(kRows * 3 * kBlockBytes);
  for (std::size_t group = 0; group < kRows * 3; ++group) {
    std::copy_n(&scales[group * 2], 2, &blocks[group * kBlockBytes]);
    std::copy_n(&bits[group * 16], 16, &blocks[group * kBlockBytes + 2]);
  }
  const auto together = BitMatrixView::from_q1_0(blocks.data(), kRows, kCols);
  const BitMatrixView view = apart;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t col = 0; col < kCols; ++col)
      ASSERT_EQ(view.bit(row, col), together.bit(row, col)) << row << " " << col;
    for (std::size_t group = 0; group < 3; ++group)
      ASSERT_EQ(*view.group_scale(row, group), *together.group_scale(row, group));
  }
}

TEST(BitMatrixViewDeathTest, RefusesPartialGroups) {
  const std::vector<std::byte> blocks(2 * kBlockBytes);
  EXPECT_DEATH(BitMatrixView::from_q1_0(blocks.data(), 1, 130), "not a multiple of 128");
}

template <typename View>
concept CanFlip = requires(View view) {
  view.flip_bit(0, 0);
};
static_assert(CanFlip<MutableBitMatrixView>);
static_assert(!CanFlip<BitMatrixView>, "a read-only view must not flip");
static_assert(!std::is_convertible_v<BitMatrixView, MutableBitMatrixView>);

}  // namespace
}  // namespace bankai
