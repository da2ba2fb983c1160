// The laws of flips on ternary weights, on matrices of every layout.
#include <gtest/gtest.h>

#include <cstring>

#include "patch/algebra.h"
#include "patch/apply.h"
#include "tests/patch/trit_samples.h"

namespace bankai::patch {
namespace {

FlipSet after(const FlipSet& first, const FlipSet& second, const ShapeTable& shapes) {
  std::vector<Flip> flips(first.flips());
  append_after(flips, second);
  return FlipSet::make(flips, shapes).value();
}

TritModel changed(TritModel model, const FlipSet& flips) {
  const Status status = toggle_flips(flips, model.mutable_lookup());
  EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
  return model;
}

TEST(TritFlips, FormAGroup) {
  const ShapeTable shapes = TritModel().shapes();
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    const FlipSet a = random_trit_set(shapes, 1 + seed % 40, 3 * seed);
    const FlipSet b = random_trit_set(shapes, 1 + seed % 29, 3 * seed + 1);
    const FlipSet c = random_trit_set(shapes, 1 + seed % 17, 3 * seed + 2);
    EXPECT_EQ(after(a, after(b, c, shapes), shapes), after(after(a, b, shapes), c, shapes));
    EXPECT_TRUE(after(a, a.inverse(), shapes).empty());
    EXPECT_TRUE(after(a.inverse(), a, shapes).empty());
    EXPECT_EQ(after(a, b, shapes).inverse(), after(b.inverse(), a.inverse(), shapes));
    EXPECT_EQ(a.inverse().inverse(), a);
    EXPECT_EQ(FlipSet::make(a.inverse().flips(), shapes).value(), a.inverse()) << "canonical";
    EXPECT_EQ(after(a, {}, shapes), a);
  }
}

TEST(TritFlips, DoNotCommuteWhereNegationsMeetSteps) {
  const ShapeTable shapes = TritModel().shapes();
  const FlipSet negation = FlipSet::make({row_flip(kGate0, 1)}, shapes).value();
  const FlipSet step = FlipSet::make({step_up(kGate0, 1, 300)}, shapes).value();
  EXPECT_EQ(after(negation, step, shapes).flips(),
            (std::vector<Flip>{row_flip(kGate0, 1), step_up(kGate0, 1, 300)}));
  EXPECT_EQ(after(step, negation, shapes).flips(),
            (std::vector<Flip>{row_flip(kGate0, 1), step_down(kGate0, 1, 300)}));
}

TEST(TritFlips, ComposedEqualOneAfterTheOther) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const TritModel model;
    const FlipSet a = random_trit_set(model.shapes(), 30, 2 * seed);
    const FlipSet b = random_trit_set(model.shapes(), 30, 2 * seed + 1);
    EXPECT_EQ(changed(changed(model, a), b), changed(model, after(a, b, model.shapes())));
  }
}

TEST(TritFlips, InverseRestoresEveryByte) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const TritModel model;
    const FlipSet flips = random_trit_set(model.shapes(), 1 + seed, seed);
    const TritModel patched = changed(model, flips);
    EXPECT_NE(patched, model);
    EXPECT_EQ(changed(patched, flips.inverse()), model);
  }
}

TEST(TritFlips, TouchOnlyLegalTritsAndNoScales) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const TritModel model;
    TritModel patched = changed(model, random_trit_set(model.shapes(), 60, seed));
    for (auto& [tensor, matrix] : patched.matrices) {
      for (const std::uint8_t code : matrix.codes()) ASSERT_LT(code, 3);
      const TritMatrixView then = model.matrices.at(tensor).view();
      const TritMatrixView now = matrix.view();
      if (!then.layout().has_scale()) continue;
      for (std::size_t row = 0; row < now.rows(); ++row)
        for (std::size_t i = 0; i < now.blocks_per_row(); ++i)
          EXPECT_EQ(std::memcmp(now.block(row, i) + now.layout().scale_offset,
                                then.block(row, i) + then.layout().scale_offset, 2),
                    0);
    }
  }
}

TEST(TritFlips, EditsOfAFileGiveTheSameBytes) {
  for (auto& [tensor, matrix] : TritModel().matrices) {
    TritMatrix file = matrix;
    const ShapeTable shapes = {{tensor, TritModel().shapes().at(tensor)}};
    const FlipSet flips = random_trit_set(shapes, 25, 3);
    const auto edits =
        collect_edits(
            flips, [&](TensorAddress) { return std::optional(file.view()); }, file.bytes())
            .value();
    std::uint64_t end = 0;
    for (const FileEdit& edit : edits) {
      EXPECT_GE(edit.offset, end) << "edits are sorted and do not overlap";
      end = edit.offset + edit.size_bytes;
      ASSERT_LE(end, file.bytes().size());
      apply_edit(edit, file.bytes().data() + edit.offset);
    }
    TritMatrix in_memory = matrix;
    ASSERT_TRUE(
        toggle_flips(flips, [&](TensorAddress) { return std::optional(in_memory.view()); }).ok());
    EXPECT_EQ(file, in_memory);
  }
}

TEST(TritFlips, RefuseWeightsThatAreNoTrits) {
  TritModel model;
  const MutableTritMatrixView view = model.matrices.at(kGate0).view();
  std::vector<std::uint8_t> codes(512);
  view.read_codes(2, codes.data());
  codes[100] = 3;
  encode_trits(kTQ2, codes.data(), view.block(2, 0));
  const TritModel before = model;
  const auto refusal = [&](const Flip& flip) {
    const Status status =
        toggle_flips(FlipSet::make({row_flip(kHead, 0), flip, row_flip(kDown3, 0)}).value(),
                     model.mutable_lookup());
    EXPECT_EQ(model, before) << "nothing may have changed";
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(refusal(step_up(kGate0, 2, 100)),
            "layer 0 gate row 2 column 100 has the code 3, which is no trit: a patch cannot "
            "change it");
  EXPECT_NE(refusal(row_flip(kGate0, 2)), "");
  EXPECT_TRUE(
      toggle_flips(FlipSet::make({step_up(kGate0, 2, 101)}).value(), model.mutable_lookup()).ok());
}

TEST(TritFlips, RefuseBase3BytesThatCannotBeRestored) {
  TritModel model;
  std::byte* byte = model.matrices.at(kUp0).view().block(1, 0);
  *byte = std::byte{1};  // the digits of 0 too
  const TritModel before = model;
  const Status status =
      toggle_flips(FlipSet::make({step_up(kUp0, 1, 0)}).value(), model.mutable_lookup());
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("layer 0 up row 1 block 0"), std::string::npos);
  EXPECT_EQ(model, before);
}

TEST(TritFlips, RefuseFlipsOfTheOtherType) {
  TritModel trits;
  SampleModel bits;
  const FlipSet bit = FlipSet::make({bit_flip(kGate0, 0, 0)}).value();
  const FlipSet step = FlipSet::make({step_up(kGate0, 0, 0)}).value();
  EXPECT_EQ(toggle_flips(bit, trits.mutable_lookup()).error().code, ErrorCode::kMismatch);
  EXPECT_EQ(toggle_flips(step, bits.mutable_lookup()).error().code, ErrorCode::kMismatch);
  const FlipSet rows = FlipSet::make({row_flip(kGate0, 0)}).value();
  EXPECT_TRUE(toggle_flips(rows, trits.mutable_lookup()).ok());
  EXPECT_TRUE(toggle_flips(rows, bits.mutable_lookup()).ok());
  EXPECT_EQ(FlipSet::make({bit_flip(kGate0, 0, 0), step_up(kGate0, 3, 9)}).error().code,
            ErrorCode::kBadInput);
}

TEST(TritHash, FollowsItsDefinitionAndSeesEveryCodeAndScale) {
  TritMatrix matrix(kPQ2, 2, 256, 7);
  Sha256 expected;
  expected.update_u64(2);
  expected.update_u64(256);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t block = 0; block < 2; ++block)  // PQ2_0 has its codes in order
      expected.update(std::span(matrix.view().block(row, block) + 2, 32));
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t block = 0; block < 2; ++block)
      for (int twice = 0; twice < 2; ++twice)  // for every 64 columns
        expected.update(std::span(matrix.view().block(row, block), 2));
  const Sha256Digest digest = hash_content(matrix.view());
  EXPECT_EQ(digest, expected.finish());
  for (std::byte& byte : matrix.bytes()) {
    byte ^= std::byte{0x10};
    EXPECT_NE(hash_content(matrix.view()), digest);
    byte ^= std::byte{0x10};
  }
}

TEST(TritHash, DoesNotDependOnTheLayout) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Sha256Digest digest = hash_content(TritMatrix(kTQ2, 3, 512, seed).view());
    for (const TritLayout& layout : {kTQ1, kPQ2, kQ2})
      EXPECT_EQ(hash_content(TritMatrix(layout, 3, 512, seed).view()), digest);
    TritMatrix one_scale(kI2S, 3, 512, seed);
    const Sha256Digest other = hash_content(one_scale.view());
    EXPECT_NE(other, digest);
    one_scale.scale()[2] ^= std::byte{1};
    EXPECT_NE(hash_content(one_scale.view()), other);
  }
}

TEST(TritHash, WithFlipsEqualsTheHashAfterApplying) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const TritModel model;
    const FlipSet flips = random_trit_set(model.shapes(), 30, seed);
    const TritModel patched = changed(model, flips);
    for (const auto& [tensor, matrix] : patched.matrices)
      EXPECT_EQ(hash_content(model.matrices.at(tensor).view(), flips.of(tensor)),
                hash_content(matrix.view()));
  }
}

TEST(TritBase, TellsBaseAppliedAndOther) {
  TritModel model;
  const Patch patch = random_trit_patch(model, 40, 1);
  ASSERT_TRUE(patch.base.hash.has_value());
  const TritModel patched = changed(model, patch.flips);
  EXPECT_EQ(check_base(patch, model.lookup()).value().state, BaseState::kBase);
  EXPECT_EQ(check_base(patch, patched.lookup()).value().state, BaseState::kApplied);
  const TritModel twice = changed(patched, patch.flips);
  EXPECT_EQ(check_base(patch, twice.lookup()).value().state, BaseState::kOther);
  // A patch on top of it, and the way back.
  const Patch second = random_trit_patch(patched, 40, 2);
  EXPECT_EQ(check_base(second, model.lookup()).value().state, BaseState::kOther);
  EXPECT_EQ(check_base(second, model.lookup(), patch.flips).value().state, BaseState::kBase);
  EXPECT_EQ(check_base(patch, patched.lookup(), patch.flips.inverse()).value().state,
            BaseState::kBase);
}

TEST(TritCompose, EqualsApplyingInOrderAndStaysBound) {
  const TritModel model;
  const Patch a = random_trit_patch(model, 40, 1);
  const Patch b = random_trit_patch(model, 40, 2);
  const Patch sum = compose(std::vector{a, b}).value();
  EXPECT_EQ(changed(model, sum.flips), changed(changed(model, a.flips), b.flips));
  EXPECT_EQ(check_base(sum, model.lookup()).value().state, BaseState::kBase);
}

TEST(TritDiff, ThenApplyGivesTheTargetWithFewFlips) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const TritModel base;
    const FlipSet flips = random_trit_set(base.shapes(), 1 + seed, seed);
    const TritModel target = changed(base, flips);
    std::vector<Flip> found;
    for (const auto& [tensor, matrix] : base.matrices)
      ASSERT_TRUE(
          diff_matrix(tensor, matrix.view(), target.matrices.at(tensor).view(), found).ok());
    const FlipSet difference = FlipSet::make(found, base.shapes()).value();
    EXPECT_EQ(difference.flips(), found) << "canonical as it comes";
    EXPECT_EQ(changed(base, difference), target);
    EXPECT_LE(difference.size(), flips.size());
  }
}

TEST(TritDiff, RefusesOtherScalesTypesAndCodes) {
  std::vector<Flip> flips;
  const TritMatrix base(kTQ2, 3, 512, 1);
  TritMatrix other = base;
  other.view().block(1, 1)[65] ^= std::byte{1};
  EXPECT_EQ(diff_matrix(kGate0, base.view(), other.view(), flips).error().code,
            ErrorCode::kMismatch);
  EXPECT_FALSE(diff_matrix(kGate0, base.view(), TritMatrix(kTQ1, 3, 512, 1).view(), flips).ok());
  EXPECT_FALSE(diff_matrix(kGate0, base.view(), SampleMatrix(3, 512, 1).view(), flips).ok());
  other = base;
  other.view().block(1, 1)[3] |= std::byte{3};
  EXPECT_FALSE(diff_matrix(kGate0, base.view(), other.view(), flips).ok());
  const TritMatrix scaled(kI2S, 3, 512, 1);
  TritMatrix rescaled = scaled;
  rescaled.scale()[0] ^= std::byte{1};
  EXPECT_FALSE(diff_matrix(kGate0, scaled.view(), rescaled.view(), flips).ok());
}

TEST(TritOverlap, CountsWeightsThatBothTouch) {
  const ShapeTable shapes = {{kGate0, {5, 512}}};
  Patch a;
  a.base.shapes = shapes;
  a.flips = FlipSet::make({row_flip(kGate0, 0), step_up(kGate0, 0, 9), step_up(kGate0, 1, 7),
                           step_down(kGate0, 1, 8)},
                          shapes)
                .value();
  EXPECT_EQ(count_flipped_bits(a.flips, shapes).bits, 512U + 2U);
  Patch b;
  b.base.shapes = shapes;
  b.flips = FlipSet::make({group_flip(kGate0, 0, 3), step_down(kGate0, 1, 7),
                           step_down(kGate0, 1, 8), step_up(kGate0, 0, 9)},
                          shapes)
                .value();
  const TensorOverlap table = overlap(a, b).value().at(0);
  EXPECT_EQ(table.common_flips, 2U);
  EXPECT_EQ(table.common_bits, 128U + 1U + 2U);
}

}  // namespace
}  // namespace bankai::patch
