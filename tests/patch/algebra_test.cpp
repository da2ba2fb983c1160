#include "patch/algebra.h"

#include <gtest/gtest.h>

#include "patch/apply.h"
#include "tests/patch/patch_samples.h"

namespace bankai::patch {
namespace {

Patch composed(std::vector<Patch> patches) {
  Result<Patch> result = compose(patches);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return result.ok() ? result.value() : Patch();
}

TEST(Compose, ObeysTheLawsOfExclusiveOr) {
  const SampleModel model;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Patch a = random_patch(model, 1 + seed % 25, 3 * seed);
    const Patch b = random_patch(model, 1 + seed % 17, 3 * seed + 1);
    const Patch c = random_patch(model, 1 + seed % 9, 3 * seed + 2);
    EXPECT_TRUE(composed({a, a}).flips.empty());
    EXPECT_EQ(composed({a, Patch()}).flips, a.flips);
    EXPECT_EQ(composed({a, b}).flips, composed({b, a}).flips);
    EXPECT_EQ(composed({a, composed({b, c})}).flips, composed({composed({a, b}), c}).flips);
    EXPECT_EQ(composed({a, b, c}).flips, composed({composed({a, b}), c}).flips);
    EXPECT_EQ(composed({a, b}).base, composed({b, a}).base);
  }
}

TEST(Compose, EqualsApplyingOneAfterTheOther) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SampleModel one_by_one;
    SampleModel at_once;
    const Patch a = random_patch(one_by_one, 20, 2 * seed);
    const Patch b = random_patch(one_by_one, 20, 2 * seed + 1);
    ASSERT_TRUE(toggle_flips(a.flips, one_by_one.mutable_lookup()).ok());
    ASSERT_TRUE(toggle_flips(b.flips, one_by_one.mutable_lookup()).ok());
    ASSERT_TRUE(toggle_flips(composed({a, b}).flips, at_once.mutable_lookup()).ok());
    EXPECT_EQ(one_by_one, at_once);
  }
}

TEST(Compose, StaysBoundToACommonBase) {
  const SampleModel model;
  const Patch a = random_patch(model, 20, 1);
  const Patch b = random_patch(model, 20, 2);
  const Patch sum = composed({a, b});
  ASSERT_TRUE(sum.base.hash.has_value());
  EXPECT_EQ(check_base(sum, model.lookup()).value().state, BaseState::kBase);
  EXPECT_EQ(sum.name, "random-1+random-2");
  EXPECT_EQ(sum.base_model, "sample");
}

TEST(Compose, RefusesDifferentBases) {
  SampleModel model;
  const Patch a = random_patch(model, 20, 1);
  model.matrices.at(kGate0).view().flip_bit(0, 0);
  const Result<Patch> sum = compose(std::vector<Patch>{a, random_patch(model, 20, 2)});
  ASSERT_FALSE(sum.ok());
  EXPECT_EQ(sum.error().code, ErrorCode::kMismatch);
  EXPECT_NE(sum.error().message.find("layer 0 gate"), std::string::npos) << sum.error().message;
}

TEST(Compose, RefusesDifferentShapes) {
  Patch a;
  a.flips = FlipSet::make({row_flip(kGate0, 0)}).value();
  a.base.shapes = {{kGate0, {6, 384}}};
  Patch b = a;
  b.base.shapes = {{kGate0, {7, 384}}};
  EXPECT_FALSE(compose(std::vector<Patch>{a, b}).ok());
}

TEST(Compose, WithAnUnboundPatchIsUnbound) {
  const SampleModel model;
  Patch unbound;
  unbound.flips = FlipSet::make({row_flip(kGate0, 0)}).value();
  const Patch sum = composed({random_patch(model, 20, 1), unbound});
  EXPECT_FALSE(sum.base.hash.has_value());
  EXPECT_TRUE(sum.base.contents.empty());
}

TEST(Overlap, CountsCommonFlipsAndBits) {
  const ShapeTable shapes = {{kGate0, {6, 384}}, {kUp0, {6, 384}}};
  Patch a;
  a.base.shapes = shapes;
  a.flips =
      FlipSet::make({row_flip(kGate0, 0), row_flip(kGate0, 1), row_flip(kUp0, 2)}, shapes).value();
  Patch b;
  b.base.shapes = shapes;
  b.flips =
      FlipSet::make({row_flip(kGate0, 0), group_flip(kGate0, 1, 2), bit_flip(kUp0, 3, 1)}, shapes)
          .value();
  const std::vector<TensorOverlap> table = overlap(a, b).value();
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].tensor, kGate0);
  EXPECT_EQ(table[0].flips_first, 2U);
  EXPECT_EQ(table[0].flips_second, 2U);
  EXPECT_EQ(table[0].common_flips, 1U);
  EXPECT_EQ(table[0].common_bits, 384U + 128U);
  EXPECT_EQ(table[1].common_flips, 0U);
  EXPECT_EQ(table[1].common_bits, 0U);
}

TEST(Overlap, WorksWithoutShapes) {
  Patch a;
  a.flips = FlipSet::make({row_flip(kGate0, 0)}).value();
  Patch b;
  b.flips = FlipSet::make({group_flip(kGate0, 0, 40)}).value();
  EXPECT_EQ(overlap(a, b).value()[0].common_bits, 128U);
  EXPECT_EQ(overlap(a, a).value()[0].common_flips, 1U);
}

TEST(DiffMatrix, ThenApplyGivesTheTarget) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SampleModel base;
    SampleModel target;
    const Patch patch = random_patch(base, 40, seed);
    ASSERT_TRUE(toggle_flips(patch.flips, target.mutable_lookup()).ok());
    std::vector<Flip> flips;
    for (const auto& [tensor, matrix] : base.matrices)
      ASSERT_TRUE(
          diff_matrix(tensor, matrix.view(), target.matrices.at(tensor).view(), flips).ok());
    const FlipSet difference = FlipSet::make(flips, base.shapes()).value();
    EXPECT_EQ(difference.flips(), flips) << "the difference is canonical as it comes";
    EXPECT_EQ(difference, patch.flips);
    ASSERT_TRUE(toggle_flips(difference, base.mutable_lookup()).ok());
    EXPECT_EQ(base, target);
  }
}

TEST(DiffMatrix, RefusesOtherScalesAndShapes) {
  const SampleMatrix base(4, 256, 1);
  SampleMatrix other = base;
  other.blocks()[18 * 3 + 1] ^= std::byte{1};  // a scale byte of row 1, group 1
  std::vector<Flip> flips;
  const Status status = diff_matrix(kGate0, base.view(), other.view(), flips);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("row 1 group 1"), std::string::npos)
      << status.error().message;
  EXPECT_FALSE(diff_matrix(kGate0, base.view(), SampleMatrix(4, 384, 1).view(), flips).ok());
}

}  // namespace
}  // namespace bankai::patch
