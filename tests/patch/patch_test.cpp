#include "patch/patch.h"

#include <gtest/gtest.h>

#include "patch/algebra.h"
#include "tests/patch/patch_samples.h"

namespace bankai::patch {
namespace {

TEST(CountFlippedBits, CountsByShape) {
  const ShapeTable shapes = {{kGate0, {6, 384}}};
  const FlipSet set =
      FlipSet::make({row_flip(kGate0, 0), group_flip(kGate0, 1, 0), bit_flip(kGate0, 2, 5),
                     row_flip(kGate0, 3), bit_flip(kGate0, 3, 5)},
                    shapes)
          .value();
  const BitCount count = count_flipped_bits(set, shapes);
  EXPECT_EQ(count.bits, 384U + 128U + 1U + 383U);
  EXPECT_TRUE(count.exact);
}

TEST(CountFlippedBits, AssumesFourThousandColumnsForRowsOfUnknownWidth) {
  const FlipSet rows = FlipSet::make({row_flip(kGate0, 0), row_flip(kGate0, 1)}).value();
  EXPECT_EQ(count_flipped_bits(rows, {}).bits, 8192U);
  EXPECT_FALSE(count_flipped_bits(rows, {}).exact);
  const FlipSet groups = FlipSet::make({group_flip(kGate0, 0, 90)}).value();
  EXPECT_EQ(count_flipped_bits(groups, {}).bits, 128U);
  EXPECT_TRUE(count_flipped_bits(groups, {}).exact);
}

TEST(CountFlippedBits, EqualsTheBitsThatApplyingChanges) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SampleModel model;
    const SampleModel before = model;
    const Patch patch = random_patch(model, 30, seed);
    ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
    std::uint64_t changed = 0;
    for (const auto& [tensor, matrix] : model.matrices) {
      const BitMatrixView now = matrix.view();
      const BitMatrixView then = before.matrices.at(tensor).view();
      for (std::size_t row = 0; row < now.rows(); ++row)
        for (std::size_t col = 0; col < now.cols(); ++col)
          if (now.bit(row, col) != then.bit(row, col)) ++changed;
    }
    EXPECT_EQ(count_flipped_bits(patch.flips, patch.base.shapes).bits, changed);
  }
}

}  // namespace
}  // namespace bankai::patch
