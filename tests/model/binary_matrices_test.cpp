#include "model/binary_matrices.h"

#include <gtest/gtest.h>

#include "model/bit1_file.h"
#include "model/random_binary_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

// Feed-forward 192: `down` has no groups of 128.
constexpr BinaryShape kShape{7, 256, 2, 4, 192, 16};

TEST(BinaryMatrices, FileAndMemoryHaveTheSameViews) {
  const BinaryModel model = random_binary_model(kShape, 5);
  testing::TempDir folder;
  const std::string path = folder.path("m.bit1");
  ASSERT_TRUE(write_bit1(model, path, Overwrite::kRefuse).ok());
  const Result<Bit1File> file = Bit1File::open(path);
  ASSERT_TRUE(file.ok());
  std::size_t num_views = 0;
  for (std::uint32_t layer = 0; layer < 3; ++layer)
    for (const ProjectionNames& entry : kProjections) {
      const TensorAddress address{layer, entry.projection};
      const auto in_file = file->bit_view(address);
      const auto in_memory = bit_view(find_binary_matrix(model, address));
      ASSERT_EQ(in_file.has_value(), in_memory.has_value()) << to_string(address);
      if (!in_file) continue;
      ++num_views;
      const BinaryMatrix& matrix = *find_binary_matrix(model, address);
      ASSERT_EQ(in_file->rows(), matrix.rows);
      ASSERT_EQ(in_file->cols(), matrix.cols);
      for (std::size_t row = 0; row < matrix.rows; ++row)
        for (std::size_t col = 0; col < matrix.cols; ++col) {
          const bool bit = (matrix.row(row)[col / 64] >> col % 64 & 1U) != 0;
          ASSERT_EQ(in_file->bit(row, col), bit) << to_string(address);
          ASSERT_EQ(in_memory->bit(row, col), bit) << to_string(address);
        }
      EXPECT_EQ(in_file->group_scale(0, 0)[1], std::byte{0x3c});
    }
  EXPECT_EQ(num_views, 2U * 6 + 2);  // all but down
}

TEST(BinaryMatrices, FlipsReachTheModel) {
  BinaryModel model = random_binary_model(kShape, 6);
  const TensorAddress address{1, Projection::kUp};
  const std::uint64_t before = model.layers[1].up.weights.row(9)[2];
  mutable_bit_view(model, address)->flip_bit(9, 128 + 5);
  EXPECT_EQ(model.layers[1].up.weights.row(9)[2], before ^ 0x20U);
  EXPECT_FALSE(mutable_bit_view(model, TensorAddress{1, Projection::kHead}).has_value());
}

}  // namespace
}  // namespace bankai::model
