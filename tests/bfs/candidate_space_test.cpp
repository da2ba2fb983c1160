#include "bfs/candidate_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

// Out of order on purpose: 384 × 256, 256 × 384 and 128 × 256 weights.
const std::vector<TensorAddress> kTensors = {
    {2, Projection::kKey}, {0, Projection::kGate}, {2, Projection::kDown}};
constexpr std::uint64_t kRows = 384 + 256 + 128;

TEST(Granularity, names_lead_back) {
  for (const Granularity granularity : {Granularity::kRow, Granularity::kGroup, Granularity::kBit})
    EXPECT_EQ(find_granularity(granularity_name(granularity)), granularity);
  EXPECT_EQ(find_granularity("rows"), std::nullopt);
  EXPECT_EQ(find_granularity(""), std::nullopt);
}

TEST(CandidateSpace, counts_rows_groups_and_bits) {
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kRow).size(), kRows);
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kGroup).size(),
            384U * 2 + 256U * 3 + 128U * 2);
  EXPECT_EQ(CandidateSpace(tiny_model(), kTensors, Granularity::kBit).size(),
            384U * 256 + 256U * 384 + 128U * 256);
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

TEST(CandidateSpace, every_id_is_one_flip_and_ids_ascend_with_flips) {
  for (const Granularity granularity :
       {Granularity::kRow, Granularity::kGroup, Granularity::kBit}) {
    const CandidateSpace space(tiny_model(), kTensors, granularity);
    std::set<patch::Flip> seen;
    for (CandidateId id = 0; id < space.size(); ++id) {
      const patch::Flip flip = space.flip(id);
      // The greatest so far: ascending, and therefore different from all before it.
      ASSERT_TRUE(seen.empty() || *seen.rbegin() < flip) << to_string(flip);
      seen.insert(seen.end(), flip);
      const BitMatrixView matrix = *tiny_model().bit_matrix(flip.tensor);
      ASSERT_LT(flip.row, matrix.rows());
      switch (granularity) {
        case Granularity::kRow:
          ASSERT_EQ(flip.kind, patch::FlipKind::kRow);
          ASSERT_EQ(flip.index, 0U);
          break;
        case Granularity::kGroup:
          ASSERT_EQ(flip.kind, patch::FlipKind::kGroup);
          ASSERT_LT(flip.index, matrix.groups_per_row());
          break;
        case Granularity::kBit:
          ASSERT_EQ(flip.kind, patch::FlipKind::kBit);
          ASSERT_LT(flip.index, matrix.cols());
          break;
      }
    }
    EXPECT_EQ(seen.size(), space.size());
  }
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

TEST(CandidateSpace, may_be_empty) {
  EXPECT_EQ(CandidateSpace(tiny_model(), {}, Granularity::kBit).size(), 0U);
}

}  // namespace
}  // namespace bankai::bfs
