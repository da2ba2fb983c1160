#include "patch/flip_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/patch/patch_samples.h"

namespace bankai::patch {
namespace {

// The bits that `flips` complement, spelled out the slow way.
std::set<std::pair<std::uint32_t, std::uint32_t>> bits_of(const std::vector<Flip>& flips,
                                                          std::uint32_t cols) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> parity;
  for (const Flip& flip : flips) {
    std::uint32_t first = 0;
    std::uint32_t count = cols;
    if (flip.kind == FlipKind::kGroup) first = flip.index * 128, count = 128;
    if (flip.kind == FlipKind::kBit) first = flip.index, count = 1;
    for (std::uint32_t col = first; col < first + count; ++col)
      parity[{flip.row, col}] = !parity[{flip.row, col}];
  }
  std::set<std::pair<std::uint32_t, std::uint32_t>> bits;
  for (const auto& [place, set] : parity)
    if (set) bits.insert(place);
  return bits;
}

FlipSet make(std::vector<Flip> flips, const ShapeTable& shapes = {}) {
  Result<FlipSet> set = FlipSet::make(std::move(flips), shapes);
  EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().message);
  return set.ok() ? set.value() : FlipSet();
}

TEST(FlipSet, OrderAndRepetitionDoNotMatter) {
  const std::vector<Flip> flips = {row_flip(kUp0, 3), group_flip(kGate0, 1, 2),
                                   bit_flip(kGate0, 1, 7)};
  std::vector<Flip> other = {flips[2], flips[0], flips[0], flips[1], flips[0]};
  EXPECT_EQ(make(flips), make(other));
  EXPECT_TRUE(make({flips[0], flips[1], flips[1], flips[0]}).empty());
}

TEST(FlipSet, IsSortedByTensorRowKindIndex) {
  const FlipSet set = make({bit_flip(kGate0, 1, 7), row_flip(kGate0, 1), row_flip(kGate0, 0),
                            group_flip(kGate0, 1, 2), row_flip(kHead, 0)});
  EXPECT_TRUE(std::is_sorted(set.begin(), set.end()));
  EXPECT_EQ(set.size(), 5U);
}

TEST(FlipSet, WritesFullGroupsAndRowsAsSuch) {
  std::vector<Flip> bits;
  for (std::uint32_t col = 0; col < 128; ++col) bits.push_back(bit_flip(kGate0, 4, 256 + col));
  EXPECT_EQ(make(bits).flips(), std::vector<Flip>{group_flip(kGate0, 4, 2)});
  const ShapeTable shapes = {{kGate0, {6, 384}}};
  EXPECT_EQ(
      make({group_flip(kGate0, 4, 0), group_flip(kGate0, 4, 1), group_flip(kGate0, 4, 2)}, shapes)
          .flips(),
      std::vector<Flip>{row_flip(kGate0, 4)});
}

TEST(FlipSet, ASingleGroupRowIsWrittenAsRow) {
  const ShapeTable shapes = {{kDown3, {9, 128}}};
  EXPECT_EQ(make({group_flip(kDown3, 2, 0)}, shapes).flips(),
            std::vector<Flip>{row_flip(kDown3, 2)});
}

TEST(FlipSet, TiesGoToTheListOfGroups) {
  const ShapeTable shapes = {{kGate0, {6, 384}}};
  const FlipSet set = make({row_flip(kGate0, 1), group_flip(kGate0, 1, 2)}, shapes);
  EXPECT_EQ(set.flips(), (std::vector<Flip>{group_flip(kGate0, 1, 0), group_flip(kGate0, 1, 1)}));
}

// Every combination of seven kinds of group content in rows of one to four groups, with and without
// the row flip, written in three ways: the canonical forms must be equal exactly if the bits are.
TEST(FlipSet, EqualBitsGiveEqualSetsExhaustively) {
  constexpr std::array<std::uint32_t, 7> kOnes = {0, 1, 63, 64, 65, 127, 128};
  for (std::uint32_t groups = 1; groups <= 4; ++groups) {
    const ShapeTable shapes = {{kGate0, {1, groups * 128}}};
    std::map<std::vector<Flip>, std::set<std::pair<std::uint32_t, std::uint32_t>>> bits_by_form;
    std::size_t combinations = 1;
    for (std::uint32_t g = 0; g < groups; ++g) combinations *= kOnes.size();
    for (std::size_t code = 0; code < combinations; ++code) {
      std::vector<Flip> plain;
      std::vector<Flip> inverted = {row_flip(kGate0, 0)};
      std::vector<Flip> by_group;
      std::size_t rest = code;
      for (std::uint32_t g = 0; g < groups; ++g, rest /= kOnes.size()) {
        const std::uint32_t ones = kOnes[rest % kOnes.size()];
        by_group.push_back(group_flip(kGate0, 0, g));
        for (std::uint32_t i = 0; i < 128; ++i)
          (i < ones ? plain : inverted).push_back(bit_flip(kGate0, 0, g * 128 + i));
        for (std::uint32_t i = ones; i < 128; ++i)
          by_group.push_back(bit_flip(kGate0, 0, g * 128 + i));
      }
      const FlipSet form = make(plain, shapes);
      EXPECT_EQ(form, make(inverted, shapes));
      EXPECT_EQ(form, make(by_group, shapes));
      EXPECT_EQ(form, make(form.flips(), shapes));
      EXPECT_LE(form.size(), std::min({plain.size(), inverted.size(), by_group.size()}));
      EXPECT_EQ(bits_of(form.flips(), groups * 128), bits_of(plain, groups * 128));
      const auto [place, inserted] =
          bits_by_form.emplace(form.flips(), bits_of(plain, groups * 128));
      EXPECT_TRUE(inserted) << "two different masks share a form";
    }
    EXPECT_EQ(bits_by_form.size(), combinations);
  }
}

TEST(FlipSet, RandomSetsKeepTheirBits) {
  const ShapeTable shapes = {{kGate0, {3, 384}}};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Flip> flips = random_flips(shapes, 1 + seed % 40, seed);
    EXPECT_EQ(bits_of(make(flips, shapes).flips(), 384), bits_of(flips, 384)) << "seed " << seed;
    EXPECT_EQ(bits_of(make(flips).flips(), 384), bits_of(flips, 384)) << "seed " << seed;
  }
}

TEST(FlipSet, NamesTheFlipThatIsOutOfRange) {
  const ShapeTable shapes = {{kGate0, {6, 384}}};
  const auto message = [&](const Flip& flip) {
    const Result<FlipSet> set = FlipSet::make({flip}, shapes);
    EXPECT_FALSE(set.ok());
    return set.ok() ? "" : set.error().message;
  };
  EXPECT_EQ(message(row_flip(kGate0, 6)), "flip of layer 0 gate row 6: the row must be below 6");
  EXPECT_EQ(message(group_flip(kGate0, 5, 3)),
            "flip of layer 0 gate row 5 group 3: the group must be below 3");
  EXPECT_EQ(message(bit_flip(kGate0, 5, 384)),
            "flip of layer 0 gate row 5 column 384: the column must be below 384");
  EXPECT_EQ(message(row_flip({kMaxLayers, Projection::kUp}, 0)),
            "flip of layer 4096 up row 0: the layer must be below 4096");
  EXPECT_EQ(message(row_flip({1, Projection::kHead}, 0)),
            "flip of head row 0: the layer must be below 1");
  EXPECT_FALSE(FlipSet::make({row_flip(kUp0, kMaxRows)}).ok());
  EXPECT_FALSE(FlipSet::make({bit_flip(kUp0, 0, kMaxCols)}).ok());
  EXPECT_FALSE(FlipSet::make({row_flip(kGate0, 6), row_flip(kGate0, 6)}, shapes).ok())
      << "a pair that cancels is still outside";
}

TEST(FlipSet, RefusesImpossibleShapes) {
  for (const TensorShape shape : {TensorShape{0, 128}, TensorShape{1, 0}, TensorShape{1, 100},
                                  TensorShape{kMaxRows + 1, 128}, TensorShape{1, kMaxCols + 128}})
    EXPECT_FALSE(FlipSet::make({row_flip(kGate0, 0)}, {{kGate0, shape}}).ok());
}

TEST(FlipSet, FindsTheFlipsOfATensor) {
  const FlipSet set = make({row_flip(kGate0, 3), row_flip(kUp0, 1), row_flip(kUp0, 2)});
  EXPECT_EQ(set.tensors(), (std::vector<TensorAddress>{kGate0, kUp0}));
  EXPECT_EQ(set.of(kUp0).size(), 2U);
  EXPECT_EQ(set.of(kGate0).size(), 1U);
  EXPECT_TRUE(set.of(kDown3).empty());
}

}  // namespace
}  // namespace bankai::patch
