#include "patch/apply.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/patch/patch_samples.h"

namespace bankai::patch {
namespace {

TEST(ToggleFlips, TwiceGivesTheOriginalBytes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SampleModel model;
    const SampleModel before = model;
    const Patch patch = random_patch(model, 30, seed);
    ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
    EXPECT_NE(model, before);
    ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
    EXPECT_EQ(model, before);
  }
}

TEST(ToggleFlips, EqualsTheViewsOwnFlips) {
  SampleModel by_patch;
  SampleModel by_view;
  const std::vector<Flip> flips = random_flips(by_patch.shapes(), 60, 5);
  ASSERT_TRUE(
      toggle_flips(FlipSet::make(flips, by_patch.shapes()).value(), by_patch.mutable_lookup())
          .ok());
  for (const Flip& flip : flips) {
    const MutableBitMatrixView view = by_view.matrices.at(flip.tensor).view();
    if (flip.kind == FlipKind::kRow) view.flip_row(flip.row);
    if (flip.kind == FlipKind::kGroup) view.flip_group(flip.row, flip.index);
    if (flip.kind == FlipKind::kBit) view.flip_bit(flip.row, flip.index);
  }
  EXPECT_EQ(by_patch, by_view);
}

TEST(ToggleFlips, ChangesNothingWhenAFlipDoesNotFit) {
  SampleModel model;
  const SampleModel before = model;
  const FlipSet outside =
      FlipSet::make({row_flip(kGate0, 0), row_flip(kUp0, 5), row_flip(kHead, 5)}).value();
  EXPECT_EQ(toggle_flips(outside, model.mutable_lookup()).error().code, ErrorCode::kBadInput);
  const FlipSet missing =
      FlipSet::make({row_flip(kGate0, 0), row_flip({7, Projection::kUp}, 0)}).value();
  EXPECT_EQ(toggle_flips(missing, model.mutable_lookup()).error().code, ErrorCode::kMismatch);
  EXPECT_EQ(model, before);
}

TEST(CollectEdits, GiveTheSameBytesAsToggling) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SampleMatrix matrix(9, 384, seed);
    const MatrixLookup lookup = [&](TensorAddress) {
      return std::optional(BitMatrixView(matrix.view()));
    };
    const FlipSet flips =
        FlipSet::make(random_flips({{kUp0, {9, 384}}}, 20, seed), {{kUp0, {9, 384}}}).value();
    std::vector<std::byte> file = matrix.blocks();
    std::uint64_t end = 0;
    const std::vector<FileEdit> edits =
        collect_edits(flips, lookup, std::as_bytes(std::span(matrix.blocks()))).value();
    for (const FileEdit& edit : edits) {
      EXPECT_GE(edit.offset, end) << "edits are sorted and do not overlap";
      end = edit.offset + 16;
      for (std::size_t i = 0; i < 16; ++i) {
        std::byte mask;
        std::memcpy(&mask, reinterpret_cast<const char*>(edit.mask.data()) + i, 1);
        file[static_cast<std::size_t>(edit.offset) + i] ^= mask;
      }
    }
    ASSERT_TRUE(
        toggle_flips(flips, [&](TensorAddress) { return std::optional(matrix.view()); }).ok());
    EXPECT_EQ(file, matrix.blocks());
  }
}

}  // namespace
}  // namespace bankai::patch
