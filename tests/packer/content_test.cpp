#include "packer/content.h"

#include <gtest/gtest.h>

namespace bankai::packer {
namespace {

TEST(Content, ImpossibleOnesAreRefused) {
  const std::uint64_t big = std::uint64_t{1} << 40U;
  EXPECT_FALSE(make_content(ContentKind::kBits, big, big).ok());
  EXPECT_FALSE(make_content(ContentKind::kBits, big, 257).ok());
  EXPECT_TRUE(make_content(ContentKind::kBits, big, 256).ok());
  EXPECT_FALSE(make_content(ContentKind::kTrits, 1, 1, 2).ok());
  EXPECT_FALSE(make_content(ContentKind::kScales, 1, 1, 1).ok());
  EXPECT_FALSE(make_content(ContentKind::kNumbers, 1, 1, 3).ok());
  EXPECT_FALSE(make_content(ContentKind::kBlob, 2, 1).ok());
  EXPECT_FALSE(make_content(static_cast<ContentKind>(9), 1, 1).ok());
}

// The blocks follow each other, start on bytes and are of bounded size.
TEST(Content, BlocksCoverEveryElementOnce) {
  const std::pair<std::uint64_t, std::uint64_t> shapes[] = {
      {1, 1},       {1, 1048576},   {1, 1048577}, {3, 1048576},   {9, 1048576}, {1048577, 1},
      {5000, 2048}, {2048, 131073}, {4097, 257},  {151936, 2048}, {0, 10},      {10, 0}};
  for (const auto& [rows, cols] : shapes)
    for (const auto& [kind, bytes] : {std::pair(ContentKind::kBits, 1U),
                                      {ContentKind::kTrits, 1U},
                                      {ContentKind::kScales, 2U},
                                      {ContentKind::kNumbers, 8U}}) {
      const Content content = make_content(kind, rows, cols, bytes).value();
      std::uint64_t next = 0;
      for (std::uint64_t i = 0; i < num_blocks(content); ++i) {
        const Block block = block_at(content, i);
        EXPECT_EQ(block.first_element, next);
        EXPECT_EQ(block.first_element % 8, 0U);
        EXPECT_GT(block.elements(), 0U);
        EXPECT_LE(block.elements(), std::size_t{1} << 23U);
        if (block.has_whole_rows) {
          EXPECT_EQ(block.first_element, block.first_row * cols);
        }
        next += block.elements();
      }
      EXPECT_EQ(next, rows * cols);
    }
}

}  // namespace
}  // namespace bankai::packer
