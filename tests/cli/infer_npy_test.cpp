#include "cli/infer_npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "tests/support/temp_dir.h"

namespace bankai::cli {
namespace {

using bankai::testing::TempDir;

TEST(NpyHeader, IsThatOfVersionOne) {
  const std::string header = npy_header(3, 1024);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(header.size(), 128U);
  EXPECT_EQ(header.substr(8, 2), std::string("\x76\x00", 2));  // 118 bytes follow
  EXPECT_EQ(header.substr(10, 62),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1024), }");
  EXPECT_EQ(header.back(), '\n');
}

TEST(NpyHeader, IsAlignedForEveryShape) {
  for (std::size_t rows = 1; rows < 1'000'000'000'000; rows *= 7) {
    const std::string header = npy_header(rows, 151936);
    EXPECT_EQ(header.size() % 64, 0U);
    EXPECT_EQ(header.size(), 10U + static_cast<unsigned char>(header[8]) +
                                 256U * static_cast<unsigned char>(header[9]));
  }
}

TEST(NpyWriter, WritesTheNumbersBehindTheHeader) {
  const TempDir folder;
  const std::string path = folder.path("a.npy");
  {
    auto file = NpyWriter::create(path, Overwrite::kRefuse, 2, 3);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write(std::vector<float>{1.0F, 2.0F}).ok());
    EXPECT_FALSE(read_file(path).ok()) << "nothing is there before the end";
    ASSERT_TRUE(file->write(std::vector<float>{3.0F, 4.0F, 5.0F, -6.5F}).ok());
    ASSERT_TRUE(file->commit().ok());
  }
  const std::string content = *read_file(path);
  const std::string header = npy_header(2, 3);
  ASSERT_EQ(content.size(), header.size() + 6 * sizeof(float));
  EXPECT_TRUE(content.starts_with(header));
  float last = 0.0F;
  std::memcpy(&last, content.data() + content.size() - sizeof last, sizeof last);
  EXPECT_EQ(last, -6.5F);
  EXPECT_FALSE(NpyWriter::create(path, Overwrite::kRefuse, 2, 3).ok());
}

}  // namespace
}  // namespace bankai::cli
