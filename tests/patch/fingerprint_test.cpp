#include "patch/fingerprint.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/patch/patch_samples.h"

namespace bankai::patch {
namespace {

TEST(HashContent, FollowsItsDefinition) {
  const SampleMatrix matrix(3, 256, 9);
  Sha256 expected;
  expected.update_u64(3);
  expected.update_u64(256);
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t group = 0; group < 2; ++group)
      expected.update(std::span(matrix.view().group_bits(row, group), 16));
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t group = 0; group < 2; ++group)
      expected.update(std::span(matrix.view().group_scale(row, group), 2));
  EXPECT_EQ(hash_content(matrix.view()), expected.finish());
}

TEST(HashContent, DoesNotDependOnTheContainer) {
  const SampleMatrix packed(5, 384, 2);
  std::vector<std::byte> bits(5 * 3 * 16);
  std::vector<std::byte> scales(3 * 5 * 2);
  for (std::size_t row = 0; row < 5; ++row)
    for (std::size_t group = 0; group < 3; ++group) {
      std::memcpy(&bits[(row * 3 + group) * 16], packed.view().group_bits(row, group), 16);
      std::memcpy(&scales[(group * 5 + row) * 2], packed.view().group_scale(row, group), 2);
    }
  const BitMatrixView apart(bits.data(), scales.data(), 5, 384, {48, 16, 2, 10});
  EXPECT_EQ(hash_content(apart), hash_content(packed.view()));
}

TEST(HashContent, SeesEveryBitAndScale) {
  SampleMatrix matrix(2, 256, 5);
  const Sha256Digest before = hash_content(matrix.view());
  for (std::size_t i = 0; i < matrix.blocks().size(); ++i) {
    matrix.blocks()[i] ^= std::byte{0x10};
    EXPECT_NE(hash_content(matrix.view()), before) << "byte " << i;
    matrix.blocks()[i] ^= std::byte{0x10};
  }
}

TEST(HashContent, WithFlipsEqualsTheHashAfterApplying) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SampleModel model;
    const Patch patch = random_patch(model, 25, seed);
    const SampleModel before = model;
    ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
    for (const auto& [tensor, matrix] : model.matrices)
      EXPECT_EQ(hash_content(before.matrices.at(tensor).view(), patch.flips.of(tensor)),
                hash_content(matrix.view()));
  }
}

TEST(CheckBase, TellsBaseAppliedAndOther) {
  SampleModel model;
  const Patch patch = random_patch(model, 25, 1);
  const auto state = [&] { return check_base(patch, model.lookup()).value().state; };
  EXPECT_EQ(state(), BaseState::kBase);
  ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
  EXPECT_EQ(state(), BaseState::kApplied);
  ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
  EXPECT_EQ(state(), BaseState::kBase);

  model.matrices.at(kUp0).blocks()[0] ^= std::byte{1};
  const BaseCheck check = check_base(patch, model.lookup()).value();
  EXPECT_EQ(check.state, BaseState::kOther);
  EXPECT_EQ(check.first_different, kUp0);
}

TEST(CheckBase, WorksWithTheCombinedHashAlone) {
  SampleModel model;
  Patch patch = random_patch(model, 25, 1);
  patch.base.contents.clear();
  EXPECT_EQ(check_base(patch, model.lookup()).value().state, BaseState::kBase);
  ASSERT_TRUE(toggle_flips(patch.flips, model.mutable_lookup()).ok());
  EXPECT_EQ(check_base(patch, model.lookup()).value().state, BaseState::kApplied);
  model.matrices.at(kUp0).blocks()[0] ^= std::byte{1};
  EXPECT_EQ(check_base(patch, model.lookup()).value().state, BaseState::kOther);
}

TEST(CheckBase, NamesATensorThatIsOnlyHalfApplied) {
  SampleModel model;
  const Patch patch = random_patch(model, 40, 1);
  ASSERT_EQ(patch.flips.tensors().size(), 4U);
  const FlipSet of_up =
      FlipSet::make({patch.flips.of(kUp0).begin(), patch.flips.of(kUp0).end()}, model.shapes())
          .value();
  ASSERT_TRUE(toggle_flips(of_up, model.mutable_lookup()).ok());
  const BaseCheck check = check_base(patch, model.lookup()).value();
  EXPECT_EQ(check.state, BaseState::kOther);
  EXPECT_EQ(check.first_different, kUp0);
}

TEST(CheckBase, SeesThroughPendingFlips) {
  SampleModel model;
  const Patch first = random_patch(model, 25, 1);
  SampleModel patched = model;
  ASSERT_TRUE(toggle_flips(first.flips, patched.mutable_lookup()).ok());
  const Patch second = random_patch(patched, 25, 2);  // made on top of the first
  EXPECT_EQ(check_base(second, model.lookup()).value().state, BaseState::kOther);
  EXPECT_EQ(check_base(second, model.lookup(), first.flips).value().state, BaseState::kBase);
}

TEST(CheckBase, RefusesMissingMatricesAndOtherShapes) {
  SampleModel model;
  const Patch patch = random_patch(model, 40, 1);
  SampleModel without = model;
  without.matrices.erase(kDown3);
  EXPECT_EQ(check_base(patch, without.lookup()).error().code, ErrorCode::kMismatch);
  SampleModel wider = model;
  wider.matrices.at(kDown3) = SampleMatrix(9, 256, 1);
  const Result<BaseCheck> check = check_base(patch, wider.lookup());
  ASSERT_FALSE(check.ok());
  EXPECT_NE(check.error().message.find("layer 3 down has 9 rows by 256 columns"), std::string::npos)
      << check.error().message;
}

TEST(CheckBase, AllowsAnUnboundPatchWithinTheShapes) {
  const SampleModel model;
  Patch patch;
  patch.flips = FlipSet::make({row_flip(kGate0, 5)}).value();
  EXPECT_EQ(check_base(patch, model.lookup()).value().state, BaseState::kUnbound);
  patch.flips = FlipSet::make({row_flip(kGate0, 6)}).value();
  EXPECT_EQ(check_base(patch, model.lookup()).error().code, ErrorCode::kBadInput);
}

TEST(RequireState, RefusesTwiceAppliedAndForeign) {
  Patch patch;
  patch.name = "p";
  patch.base.hash = BaseHash{};
  const auto allowed = [&](BaseState state, Direction direction) {
    return require_state(patch, {state, {}}, direction).ok();
  };
  EXPECT_TRUE(allowed(BaseState::kBase, Direction::kApply));
  EXPECT_FALSE(allowed(BaseState::kBase, Direction::kRevert));
  EXPECT_FALSE(allowed(BaseState::kApplied, Direction::kApply));
  EXPECT_TRUE(allowed(BaseState::kApplied, Direction::kRevert));
  EXPECT_TRUE(allowed(BaseState::kUnbound, Direction::kApply));
  EXPECT_FALSE(allowed(BaseState::kOther, Direction::kApply));
  EXPECT_EQ(require_state(patch, {BaseState::kOther, kUp0}, Direction::kApply).error().message,
            "patch 'p' was made for another base: layer 0 up differs");
}

TEST(BindToBase, BringsFlipsToTheFormOfTheShapes) {
  const SampleModel model;
  Patch patch;
  patch.flips =
      FlipSet::make({group_flip(kGate0, 1, 0), group_flip(kGate0, 1, 1), group_flip(kGate0, 1, 2)})
          .value();
  ASSERT_TRUE(bind_to_base(patch, model.lookup()).ok());
  EXPECT_EQ(patch.flips.flips(), std::vector<Flip>{row_flip(kGate0, 1)});
  EXPECT_EQ(patch.base.shapes, (ShapeTable{{kGate0, {6, 384}}}));
  EXPECT_EQ(patch.base.hash, combine_contents(patch.base.contents));
}

}  // namespace
}  // namespace bankai::patch
