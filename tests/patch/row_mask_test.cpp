#include "patch/row_mask.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tests/patch/trit_samples.h"

namespace bankai::patch {
namespace {

// What a set of flips of row 0 does to the three trits at a column, by the mask of the row.
std::array<std::uint8_t, 3> images(const std::vector<Flip>& flips, std::uint32_t col) {
  std::array<std::uint8_t, 3> result{};
  for (std::uint8_t code = 0; code < 3; ++code) {
    std::vector<std::uint8_t> codes(256, code);
    EXPECT_FALSE(change_codes(mask_of_row(flips), codes).has_value());
    result[code] = codes[col];
  }
  return result;
}

TEST(ChangeCodes, KnownFlips) {
  using Images = std::array<std::uint8_t, 3>;
  EXPECT_EQ(images({}, 7), (Images{0, 1, 2}));
  EXPECT_EQ(images({step_up(kGate0, 0, 7)}, 7), (Images{1, 2, 0}));
  EXPECT_EQ(images({step_up(kGate0, 0, 7)}, 8), (Images{0, 1, 2}));
  EXPECT_EQ(images({step_down(kGate0, 0, 7)}, 7), (Images{2, 0, 1}));
  EXPECT_EQ(images({step_up(kGate0, 0, 7), step_up(kGate0, 0, 7)}, 7), (Images{2, 0, 1}));
  EXPECT_EQ(images({step_up(kGate0, 0, 7), step_down(kGate0, 0, 7)}, 7), (Images{0, 1, 2}));
  EXPECT_EQ(images({row_flip(kGate0, 0)}, 7), (Images{2, 1, 0}));
  EXPECT_EQ(images({group_flip(kGate0, 0, 1)}, 7), (Images{0, 1, 2}));
  EXPECT_EQ(images({group_flip(kGate0, 0, 1)}, 130), (Images{2, 1, 0}));
  EXPECT_EQ(images({row_flip(kGate0, 0), group_flip(kGate0, 0, 0)}, 7), (Images{0, 1, 2}));
  // Negation first: −1 → +1 → −1, 0 → 0 → +1, +1 → −1 → 0.
  EXPECT_EQ(images({step_up(kGate0, 0, 7), row_flip(kGate0, 0)}, 7), (Images{0, 2, 1}));
}

// The six maps t → a · t + b are all there are, and different flips give different maps.
TEST(ChangeCodes, GivesEveryPermutationOfTheTritsOnce) {
  std::set<std::array<std::uint8_t, 3>> maps;
  for (const bool negated : {false, true})
    for (unsigned add = 0; add < 3; ++add) {
      std::vector<Flip> flips;
      if (negated) flips.push_back(group_flip(kGate0, 0, 0));
      if (add == 1) flips.push_back(step_up(kGate0, 0, 5));
      if (add == 2) flips.push_back(step_down(kGate0, 0, 5));
      const auto map = images(flips, 5);
      EXPECT_EQ((std::set<std::uint8_t>(map.begin(), map.end()).size()), 3U);
      EXPECT_TRUE(maps.insert(map).second);
    }
  EXPECT_EQ(maps.size(), 6U);
}

TEST(ChangeCodes, NamesTheFirstWeightThatIsNoTritAndLeavesIt) {
  std::vector<std::uint8_t> codes(256, 1);
  codes[200] = 3;
  codes[140] = 3;
  EXPECT_FALSE(change_codes(mask_of_row(std::array{step_up(kGate0, 0, 7)}), codes).has_value());
  EXPECT_FALSE(change_codes(mask_of_row(std::array{group_flip(kGate0, 0, 0)}), codes).has_value());
  EXPECT_EQ(change_codes(mask_of_row(std::array{step_up(kGate0, 0, 200)}), codes), 200U);
  EXPECT_EQ(change_codes(mask_of_row(std::array{row_flip(kGate0, 0)}), codes), 140U);
  EXPECT_EQ(codes[200], 3);
}

TEST(IsNegated, AgreesWithTheBitsOfTheMask) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<Flip> flips = random_flips({{kGate0, {1, 384}}}, 1 + seed % 9, seed);
    const RowMask mask = mask_of_row(flips);
    for (std::uint32_t col = 0; col < 384; ++col) {
      bool expected = false;
      for (const Flip& flip : flips)
        expected ^= flip.kind == FlipKind::kRow ||
                    (flip.kind == FlipKind::kGroup && flip.index == col / 128) ||
                    (flip.kind == FlipKind::kBit && flip.index == col);
      EXPECT_EQ(is_negated(mask, col), expected) << "seed " << seed << " column " << col;
    }
  }
}

}  // namespace
}  // namespace bankai::patch
