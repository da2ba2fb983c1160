#include "bfs/flippable.h"

#include <gtest/gtest.h>

#include <string>

#include "bfs/overlay.h"
#include "core/counter_rng.h"
#include "kernels/ternary_blocks.h"
#include "model/trit_tensor.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

using kernels::TensorType;
using patch::Flip;
using patch::FlipKind;

constexpr TensorAddress kUp{1, Projection::kUp};
constexpr TensorAddress kQuery{0, Projection::kQuery};

// Flips of all kinds that ternary weights have.
patch::FlipSet random_flips(const model::Model& model, std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<Flip> flips;
  for (std::uint64_t i = 0; i < count; ++i) {
    const TensorAddress tensor = rng.below(4 * i, 2) == 0 ? kUp : kQuery;
    const patch::TensorShape shape = *flippable_shape(model, tensor);
    constexpr FlipKind kKinds[] = {FlipKind::kRow, FlipKind::kGroup, FlipKind::kStepUp,
                                   FlipKind::kStepDown};
    Flip flip{tensor, static_cast<std::uint32_t>(rng.below(4 * i + 1, 4)),
              kKinds[rng.below(4 * i + 2, 4)], 0};
    if (flip.kind == FlipKind::kGroup)
      flip.index = static_cast<std::uint32_t>(rng.below(4 * i + 3, shape.groups_per_row()));
    if (patch::is_single(flip.kind))
      flip.index = static_cast<std::uint32_t>(rng.below(4 * i + 3, shape.cols));
    flips.push_back(flip);
  }
  return patch::FlipSet::make(flips).value();
}

TEST(Flippable, KnowsTernaryMatricesAndTheirShapes) {
  for (const TensorType type : kTernary) {
    const auto model = ternary_model(type);
    EXPECT_EQ(flippable_shape(*model, kUp), (patch::TensorShape{512, 256}));
    EXPECT_TRUE(std::holds_alternative<TritMatrixView>(*flippable_weights(*model)(kUp)));
    EXPECT_FALSE(flippable_shape(*model, {9, Projection::kUp}).has_value());
  }
}

TEST(Overlay, OfTernaryFlipsEqualsTheEditedFile) {
  for (const TensorType type : kTernary) {
    SCOPED_TRACE(std::string(kernels::tensor_type_info(type).name));
    const auto model = ternary_model(type);
    const patch::FlipSet flips = random_flips(*model, 12, 3);
    ASSERT_GE(flips.size(), 6U);
    const auto edited = edited_model(*model, flips);
    const model::RowOverlay overlay = make_overlay(*model, flips.flips());
    for (const TensorAddress tensor : {kUp, kQuery}) {
      const kernels::WeightRows& own = model->find_matrix(tensor)->weights;
      const kernels::WeightRows& other = edited->find_matrix(tensor)->weights;
      for (std::size_t row = 0; row < own.rows; ++row) {
        const std::uint8_t* replaced = overlay.find_row(tensor, row);
        const std::uint8_t* expected = other.data + row * other.row_bytes;
        EXPECT_TRUE(std::equal(expected, expected + other.row_bytes,
                               replaced != nullptr ? replaced : own.data + row * own.row_bytes))
            << "row " << row;
      }
    }
    // Taken back, nothing is replaced.
    std::vector<Flip> back(flips.flips());
    patch::append_after(back, flips.inverse());
    EXPECT_TRUE(make_overlay(*model, patch::FlipSet::make(back).value().flips()).empty());
  }
}

// A flip on top of a state, as an evaluator makes it.
TEST(FlippedRow, OfTernaryWeightsGoesOnTopOfTheState) {
  const auto model = ternary_model(TensorType::kTQ2_0);
  const patch::FlipSet state = random_flips(*model, 12, 5);
  const model::RowOverlay overlay = make_overlay(*model, state.flips());
  for (const Flip& flip : random_flips(*model, 12, 6)) {
    std::vector<Flip> both(state.flips());
    patch::append_after(both, patch::FlipSet::make({flip}).value());
    const model::RowOverlay expected =
        make_overlay(*model, patch::FlipSet::make(both).value().flips());
    const std::uint8_t* row = expected.find_row(flip.tensor, flip.row);
    const kernels::WeightRows& own = model->find_matrix(flip.tensor)->weights;
    if (row == nullptr) row = own.data + flip.row * own.row_bytes;
    EXPECT_EQ(flipped_row(*model, overlay, flip),
              (std::vector<std::uint8_t>(row, row + own.row_bytes)));
  }
}

}  // namespace
}  // namespace bankai::bfs
