#include "bfs/flip_cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/counter_rng.h"
#include "patch/patch_binary.h"

namespace bankai::bfs {
namespace {

using patch::FlipKind;

constexpr std::array kKinds = {FlipKind::kRow, FlipKind::kGroup, FlipKind::kBit, FlipKind::kStepUp,
                               FlipKind::kStepDown};

// Gate and up of some layers of a model.
struct Place {
  std::uint32_t layers;
  patch::TensorShape shape;

  std::vector<patch::TensorShape> shapes() const { return {std::size_t{2} * layers, shape}; }
};
constexpr Place kDemo = {6, {768, 256}};
constexpr Place kLarge = {36, {12288, 4096}};
// What a patch states once: projections, number of layers, the shape of gate (3 bytes), that of up
// (the same), and the shift of the layers.
constexpr double kScopeBits = 8 * 6 + 6;

patch::Flip random_flip(const Place& place, FlipKind kind, const CounterRng& rng,
                        std::uint64_t index) {
  const TensorAddress tensor{
      static_cast<std::uint32_t>(rng.below(4 * index, place.layers)),
      rng.below(4 * index + 1, 2) == 0 ? Projection::kGate : Projection::kUp};
  const auto row = static_cast<std::uint32_t>(rng.below(4 * index + 2, place.shape.rows));
  const std::uint64_t indices = kind == FlipKind::kRow     ? 1
                                : kind == FlipKind::kGroup ? place.shape.groups_per_row()
                                                           : place.shape.cols;
  return {tensor, row, kind, static_cast<std::uint32_t>(rng.below(4 * index + 3, indices))};
}

// The size of a bound, nameless patch.
double encoded_bits(const Place& place, const std::set<patch::Flip>& flips) {
  patch::Patch patch;
  for (std::uint32_t layer = 0; layer < place.layers; ++layer)
    for (const Projection projection : {Projection::kGate, Projection::kUp})
      patch.base.shapes[{layer, projection}] = place.shape;
  patch.flips = *patch::FlipSet::make({flips.begin(), flips.end()}, patch.base.shapes);
  patch::drop_untouched(patch.base, patch.flips);
  patch.base.hash.emplace();
  return 8.0 * static_cast<double>(patch::binary_size_bytes(patch));
}

TEST(FlipCost, counts_places) {
  const FlipCost cost(std::vector<patch::TensorShape>{{768, 256}, {256, 768}});
  EXPECT_EQ(cost.num_places(FlipKind::kRow), 1024U);
  EXPECT_EQ(cost.num_places(FlipKind::kGroup), 768U * 2 + 256U * 6);
  for (const FlipKind kind : {FlipKind::kBit, FlipKind::kStepUp, FlipKind::kStepDown})
    EXPECT_EQ(cost.num_places(kind), 2U * 768 * 256);
}

// Sums of marginal costs against the encoder, for patches of one kind and of all kinds.
TEST(FlipCost, sums_to_what_the_encoder_writes) {
  for (const Place& place : {kDemo, kLarge}) {
    const FlipCost cost(place.shapes());
    const double header = encoded_bits(place, {}) + kScopeBits;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      const std::size_t kinds = seed % 4;  // 3: all of them in turn
      const bool is_ternary = seed % 2 == 1;
      const CounterRng rng(seed);
      std::set<patch::Flip> flips;
      std::array<std::uint64_t, patch::kNumFlipKinds> counts{};
      double predicted = 0.0;
      for (std::uint64_t i = 0; flips.size() < 400; ++i) {
        FlipKind kind = kKinds[kinds < 3 ? kinds : i % 3];
        if (is_ternary && kind == FlipKind::kBit) kind = kKinds[3 + i / 3 % 2];
        if (!flips.insert(random_flip(place, kind, rng, i)).second) continue;
        predicted += cost.marginal_bits(kind, counts[static_cast<std::size_t>(kind)]++);
        if (flips.size() != 30 && flips.size() != 100 && flips.size() != 400) continue;
        const double written = encoded_bits(place, flips) - header;
        EXPECT_NEAR(predicted, written, 0.1 * written)
            << flips.size() << " flips, seed " << seed << ", " << place.layers << " layers";
      }
    }
  }
}

TEST(FlipCost, follows_the_information_of_a_place) {
  const FlipCost cost(kLarge.shapes());
  for (const FlipKind kind : {FlipKind::kRow, FlipKind::kGroup, FlipKind::kBit}) {
    const auto places = static_cast<double>(cost.num_places(kind));
    for (const std::uint64_t count : {10U, 100U, 1000U})
      EXPECT_NEAR(cost.marginal_bits(kind, count), std::log2(places / static_cast<double>(count)),
                  1.5);
  }
  for (const std::uint64_t count : {0U, 1U, 10U, 100U}) {
    EXPECT_LT(cost.marginal_bits(FlipKind::kRow, count),
              cost.marginal_bits(FlipKind::kGroup, count));
    EXPECT_LT(cost.marginal_bits(FlipKind::kGroup, count),
              cost.marginal_bits(FlipKind::kBit, count));
  }
}

TEST(FlipCost, is_defined_up_to_every_place) {
  const FlipCost cost(std::vector<patch::TensorShape>{{3, 128}});
  for (const FlipKind kind : kKinds) {
    EXPECT_EQ(cost.set_bits(kind, 0), 0.0);
    for (std::uint64_t count = 1; count <= cost.num_places(kind); ++count) {
      EXPECT_TRUE(std::isfinite(cost.set_bits(kind, count)));
      EXPECT_GE(cost.set_bits(kind, count), 14.0 + static_cast<double>(count));
    }
  }
}

}  // namespace
}  // namespace bankai::bfs
