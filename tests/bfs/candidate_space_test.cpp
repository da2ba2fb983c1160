#include "bfs/candidate_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "tests/bfs/demo_data.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

// Out of order on purpose: 384 × 256, 256 × 384 and 128 × 256 weights.
const std::vector<TensorAddress> kTensors = {
    {2, Projection::kKey}, {0, Projection::kGate}, {2, Projection::kDown}};
constexpr std::uint64_t kRows = 384 + 256 + 128;
constexpr std::uint64_t kGroups = 384 * 2 + 256 * 3 + 128 * 2;
constexpr std::uint64_t kBits = 384 * 256 + 256 * 384 + 128 * 256;
constexpr std::array kAll = {Granularity::kRow, Granularity::kGroup, Granularity::kBit,
                             Granularity::kMixed};

// The width is that of one group: gate is 256 × 128, down 128 × 256 weights.
const model::Model& narrow_model() {
  static const auto model = testing::make_small_model({});
  return *model;
}

TEST(Granularity, names_lead_back) {
  for (const Granularity granularity : kAll)
    EXPECT_EQ(find_granularity(granularity_name(granularity)), granularity);
  EXPECT_EQ(find_granularity("rows"), std::nullopt);
  EXPECT_EQ(find_granularity(""), std::nullopt);
}

TEST(CandidateSpace, counts_rows_groups_and_bits) {
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kRow).size(), kRows);
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kGroup).size(), kGroups);
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kBit).size(), kBits);
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kMixed).size(),
            kRows + kGroups + kBits);
}

TEST(CandidateSpace, numbers_tensors_in_canonical_order) {
  const CandidateSpace space(tiny_model(), kTensors, Granularity::kRow);
  std::vector<TensorAddress> sorted = kTensors;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_TRUE(std::equal(sorted.begin(), sorted.end(), space.tensors().begin()));
  EXPECT_EQ(space.first(0), 0U);
  EXPECT_EQ(space.first(1), 384U);
  EXPECT_EQ(space.first(2), 384U + 256U);
  EXPECT_EQ(space.first(3), space.size());
}

TEST(CandidateSpace, every_id_is_one_flip_that_leads_back) {
  for (const model::Model* model : {&tiny_model(), &narrow_model()}) {
    const std::vector<TensorAddress> tensors = {
        {1, Projection::kDown}, {0, Projection::kGate}, {1, Projection::kKey}};
    for (const Granularity granularity : kAll) {
      const CandidateSpace space(*model, tensors, granularity);
      std::array<std::uint64_t, patch::kNumFlipKinds> counts{};
      for (CandidateId id = 0; id < space.size(); ++id) {
        const patch::Flip flip = space.flip(id);
        ASSERT_EQ(space.id_of(flip), id) << to_string(flip);
        const BitMatrixView matrix = *model->bit_matrix(flip.tensor);
        ASSERT_LT(flip.row, matrix.rows());
        ASSERT_LT(flip.index, flip.kind == patch::FlipKind::kRow     ? 1
                              : flip.kind == patch::FlipKind::kGroup ? matrix.groups_per_row()
                                                                     : matrix.cols());
        ++counts[static_cast<std::size_t>(flip.kind)];
      }
      // With every id leading back, equal numbers mean that nothing is missing.
      std::array<std::uint64_t, patch::kNumFlipKinds> expected{};
      for (const TensorAddress tensor : tensors) {
        const BitMatrixView matrix = *model->bit_matrix(tensor);
        const bool is_mixed = granularity == Granularity::kMixed;
        if (granularity == Granularity::kRow || is_mixed) expected[0] += matrix.rows();
        if (granularity == Granularity::kGroup || (is_mixed && matrix.groups_per_row() > 1))
          expected[1] += matrix.rows() * matrix.groups_per_row();
        if (granularity == Granularity::kBit || is_mixed)
          expected[2] += matrix.rows() * matrix.cols();
      }
      EXPECT_EQ(counts, expected) << granularity_name(granularity);
    }
  }
}

TEST(CandidateSpace, ids_ascend_by_tensor_kind_row_and_index) {
  const auto key = [](const patch::Flip& flip) {
    return std::tuple(flip.tensor, flip.kind, flip.row, flip.index);
  };
  for (const Granularity granularity : kAll) {
    const CandidateSpace space(narrow_model(), layer_tensors({0, 1}), granularity);
    for (CandidateId id = 1; id < space.size(); ++id)
      ASSERT_LT(key(space.flip(id - 1)), key(space.flip(id))) << id;
  }
}

TEST(CandidateSpace, says_where_the_kinds_of_a_tensor_lie) {
  const std::vector<TensorAddress> tensors = {{0, Projection::kGate}, {0, Projection::kDown}};
  for (const Granularity granularity : kAll) {
    const CandidateSpace space(narrow_model(), tensors, granularity);
    CandidateId next = 0;
    for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
      const std::uint64_t rows = narrow_model().bit_matrix(tensors[tensor])->rows();
      for (const patch::FlipKind kind : kFlipKinds) {
        EXPECT_EQ(space.count(tensor, kind), rows * space.count_per_row(tensor, kind));
        if (space.count(tensor, kind) == 0) continue;
        EXPECT_EQ(space.first(tensor, kind), next);
        EXPECT_EQ(space.flip(next).kind, kind);
        EXPECT_EQ(space.flip(next).tensor, tensors[tensor]);
        next += space.count(tensor, kind);
      }
      EXPECT_EQ(space.first(tensor + 1), next);
    }
  }
  const CandidateSpace mixed(narrow_model(), tensors, Granularity::kMixed);
  EXPECT_EQ(mixed.count_per_row(0, patch::FlipKind::kGroup), 0U) << "the group is the row";
  EXPECT_EQ(mixed.count_per_row(1, patch::FlipKind::kGroup), 2U);
}

TEST(CandidateSpace, finds_the_candidates_of_a_row_by_fraction) {
  for (const Granularity granularity :
       {Granularity::kRow, Granularity::kGroup, Granularity::kBit}) {
    const CandidateSpace space(tiny_model(), kTensors, granularity);
    CandidateId expected = 0;  // rows follow each other, and so do the candidates of each
    for (std::uint64_t row = 0; row < kRows; ++row) {
      ASSERT_EQ(space.candidate_in_row(row, 0.0), expected);
      const patch::Flip flip = space.flip(expected);
      while (expected < space.size() && space.flip(expected).row == flip.row &&
             space.flip(expected).tensor == flip.tensor)
        ++expected;
      ASSERT_EQ(space.candidate_in_row(row, 0x1.fffffffffffffp-1), expected - 1);
    }
    EXPECT_EQ(expected, space.size());
  }
}

// Both steps of every weight in place of its bit.
TEST(CandidateSpace, has_steps_of_ternary_weights) {
  const model::Model& model = tiny_ternary_model();
  const std::vector<TensorAddress> tensors = {{0, Projection::kKey}, {1, Projection::kGate}};
  constexpr std::uint64_t kWeights = 128 * 256 + 512 * 256;
  const CandidateSpace space(model, tensors, Granularity::kBit);
  EXPECT_EQ(space.size(), 2 * kWeights);
  EXPECT_EQ(CandidateSpace(model, tensors, Granularity::kMixed).size(),
            (128 + 512) * 3 + 2 * kWeights);
  EXPECT_EQ(space.count(0, patch::FlipKind::kBit), 0U);
  for (CandidateId id = 0; id < space.size(); id += 997) {
    const patch::Flip flip = space.flip(id);
    ASSERT_TRUE(patch::is_step(flip.kind));
    ASSERT_EQ(space.id_of(flip), id);
  }
  // A row's steps up come before its steps down, wherever they lie.
  for (const std::uint64_t row : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}}) {
    const TensorAddress tensor = tensors[row < 128 ? 0 : 1];
    const auto index = static_cast<std::uint32_t>(row % 128);
    EXPECT_EQ(space.flip(space.candidate_in_row(row, 0.0)), patch::step_up(tensor, index, 0));
    EXPECT_EQ(space.flip(space.candidate_in_row(row, 0.499)), patch::step_up(tensor, index, 255));
    EXPECT_EQ(space.flip(space.candidate_in_row(row, 0.5)), patch::step_down(tensor, index, 0));
    EXPECT_EQ(space.flip(space.candidate_in_row(row, 0.9999)),
              patch::step_down(tensor, index, 255));
  }
}

TEST(CandidateSpace, may_be_empty) {
  EXPECT_EQ(CandidateSpace(tiny_model(), {}, Granularity::kBit).size(), 0U);
}

}  // namespace
}  // namespace bankai::bfs
