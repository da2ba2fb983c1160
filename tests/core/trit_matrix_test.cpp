#include "core/trit_matrix.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/counter_rng.h"

namespace bankai {
namespace {

constexpr std::array<TritLayout, 5> kLayouts = {{
    {TritPacking::kInOrder, 64, 18, 2, 0},
    {TritPacking::kInOrder, 128, 34, 2, 0},
    {TritPacking::kRunsFromLowest, 256, 66, 0, 64},
    {TritPacking::kRunsFromHighest, 128, 32, 0},
    {TritPacking::kBase3, 256, 54, 0, 52},
}};

std::vector<std::uint8_t> random_codes(std::size_t count, unsigned codes, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<std::uint8_t> result(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = static_cast<std::uint8_t>(rng.below(i, codes));
  return result;
}

TEST(TritBlocks, DecodingGivesWhatWasEncodedAndTheScaleStays) {
  for (const TritLayout& layout : kLayouts)
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const bool base3 = layout.packing == TritPacking::kBase3;
      const auto codes = random_codes(layout.block_cols, base3 ? 3 : 4, seed);
      std::vector<std::byte> block(layout.block_bytes, std::byte{0xA5});
      encode_trits(layout, codes.data(), block.data());
      std::vector<std::uint8_t> again(layout.block_cols);
      decode_trits(layout, block.data(), again.data());
      EXPECT_EQ(again, codes);
      if (layout.has_scale()) {
        EXPECT_EQ(block[layout.scale_offset], std::byte{0xA5});
        EXPECT_EQ(block[layout.scale_offset + 1], std::byte{0xA5});
      }
    }
}

// Every byte of five digits: 243 of the 256 are what the encoder writes.
TEST(TritBlocks, Base3BytesAreTheSmallestWithTheirDigits) {
  const TritLayout& layout = kLayouts[4];
  std::size_t written = 0;
  for (unsigned value = 0; value < 256; ++value) {
    std::vector<std::byte> block(layout.block_bytes);
    block[0] = static_cast<std::byte>(value);
    std::vector<std::uint8_t> codes(layout.block_cols);
    decode_trits(layout, block.data(), codes.data());
    std::vector<std::byte> again(layout.block_bytes);
    encode_trits(layout, codes.data(), again.data());
    EXPECT_LE(std::to_integer<unsigned>(again[0]), value);
    std::vector<std::uint8_t> codes_again(layout.block_cols);
    decode_trits(layout, again.data(), codes_again.data());
    EXPECT_EQ(codes_again, codes) << value;
    if (again == block) ++written;
  }
  EXPECT_EQ(written, 243U);
}

TEST(TritMatrixView, FindsRowsAndBlocks) {
  for (const TritLayout& layout : kLayouts) {
    const std::size_t rows = 3;
    const std::size_t cols = 512;
    std::vector<std::byte> bytes(rows * cols / layout.block_cols * layout.block_bytes);
    const MutableTritMatrixView matrix(layout, bytes.data(), rows, cols);
    for (std::size_t row = 0; row < rows; ++row) {
      const auto codes = random_codes(cols, 3, row);
      for (std::size_t i = 0; i < matrix.blocks_per_row(); ++i)
        encode_trits(layout, codes.data() + i * layout.block_cols, matrix.block(row, i));
    }
    const TritMatrixView view = matrix;
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<std::uint8_t> codes(cols);
      view.read_codes(row, codes.data());
      EXPECT_EQ(codes, random_codes(cols, 3, row));
    }
    EXPECT_EQ(view.block(rows - 1, view.blocks_per_row() - 1) + layout.block_bytes,
              bytes.data() + bytes.size());
  }
}

}  // namespace
}  // namespace bankai
