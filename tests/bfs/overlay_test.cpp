#include "bfs/overlay.h"

#include <gtest/gtest.h>

#include "core/counter_rng.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

using patch::Flip;

constexpr TensorAddress kUp{1, Projection::kUp};
constexpr TensorAddress kDown{1, Projection::kDown};

std::vector<std::uint8_t> model_row(const model::Model& model, TensorAddress tensor,
                                    std::size_t row) {
  const kernels::WeightRows& weights = model.find_matrix(tensor)->weights;
  const std::uint8_t* begin = weights.data + row * weights.row_bytes;
  return {begin, begin + weights.row_bytes};
}

// The row as `overlay` has it.
std::vector<std::uint8_t> row_under(const model::RowOverlay& overlay, TensorAddress tensor,
                                    std::size_t row) {
  const std::uint8_t* bytes = overlay.find_row(tensor, row);
  if (bytes == nullptr) return model_row(tiny_model(), tensor, row);
  return {bytes, bytes + tiny_model().find_matrix(tensor)->weights.row_bytes};
}

// Many flips that meet in few rows.
std::vector<Flip> crowded_flips(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<Flip> flips;
  for (std::size_t i = 0; i < count; ++i) {
    const TensorAddress tensor = rng.below(4 * i, 2) == 0 ? kUp : kDown;
    const std::size_t cols = tiny_model().bit_matrix(tensor)->cols();
    const auto row = static_cast<std::uint32_t>(rng.below(4 * i + 1, 3));
    switch (rng.below(4 * i + 2, 3)) {
      case 0: flips.push_back(patch::row_flip(tensor, row)); break;
      case 1:
        flips.push_back(patch::group_flip(
            tensor, row, static_cast<std::uint32_t>(rng.below(4 * i + 3, cols / 128))));
        break;
      default:
        flips.push_back(
            patch::bit_flip(tensor, row, static_cast<std::uint32_t>(rng.below(4 * i + 3, cols))));
        break;
    }
  }
  return flips;
}

TEST(Overlay, rows_are_those_of_a_model_with_the_bits_flipped) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const std::vector<Flip> flips = crowded_flips(12, seed);
    const model::RowOverlay overlay = make_overlay(tiny_model(), flips);
    const FlippedModel flipped(tiny_model(), flips);
    for (const TensorAddress tensor : {kUp, kDown})
      for (std::size_t row = 0; row < 4; ++row)
        EXPECT_EQ(row_under(overlay, tensor, row), model_row(flipped.model(), tensor, row));
  }
}

TEST(Overlay, the_same_flips_twice_are_none) {
  std::vector<Flip> flips = crowded_flips(9, 3);
  flips.insert(flips.end(), flips.begin(), flips.end());
  EXPECT_TRUE(make_overlay(tiny_model(), flips).empty());
  EXPECT_TRUE(make_overlay(tiny_model(), {}).empty());
}

TEST(FlippedRow, is_the_row_of_the_state_with_one_flip_more) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const std::vector<Flip> state = crowded_flips(6, seed);
    const model::RowOverlay overlay = make_overlay(tiny_model(), state);
    for (const Flip& flip : crowded_flips(12, seed + 100)) {
      model::RowOverlay flipped = overlay;
      apply_flip(tiny_model(), flip, flipped);
      EXPECT_EQ(flipped_row(tiny_model(), overlay, flip), row_under(flipped, flip.tensor, flip.row))
          << to_string(flip);
    }
  }
}

}  // namespace
}  // namespace bankai::bfs
