#include "bfs/single_weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bfs/overlay.h"
#include "kernels/ternary_blocks.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

using patch::FlipKind;

constexpr TensorAddress kUp{1, Projection::kUp};
constexpr std::size_t kRow = 3;

// The row's weights under an overlay, with the scale of the matrix.
std::vector<float> weights_of(const model::Model& model, const model::RowOverlay& state) {
  const model::WeightMatrix& matrix = *model.find_matrix(kUp);
  kernels::WeightRows one = matrix.weights.slice(0, 1);
  one.data = row_bytes(matrix, state, kRow);
  std::vector<float> weights(matrix.weights.cols);
  kernels::widen_row(one, 0, weights.data());
  for (float& weight : weights) weight *= matrix.scale;
  return weights;
}

void expect_changes_of_flips(const model::Model& model, std::span<const FlipKind> kinds) {
  model::RowOverlay state;
  apply_flip(model, patch::group_flip(kUp, kRow, 1), state);
  const std::vector<float> before = weights_of(model, state);
  for (const FlipKind kind : kinds) {
    std::vector<float> changes(before.size());
    weight_changes(*model.find_matrix(kUp), row_bytes(*model.find_matrix(kUp), state, kRow), kind,
                   changes.data());
    for (std::uint32_t col = 0; col < before.size(); col += 3) {
      model::RowOverlay flipped = state;
      apply_flip(model, {kUp, kRow, kind, col}, flipped);
      const std::vector<float> after = weights_of(model, flipped);
      for (std::uint32_t other = 0; other < before.size(); ++other) {
        const float expected = after[other] - before[other];
        ASSERT_NEAR(expected, other == col ? changes[col] : 0.0F, 1e-6F * std::abs(expected))
            << "column " << other;
      }
      EXPECT_NE(changes[col], 0.0F);
    }
  }
}

TEST(WeightChanges, are_what_flips_of_single_weights_do) {
  constexpr FlipKind kBit[] = {FlipKind::kBit};
  constexpr FlipKind kSteps[] = {FlipKind::kStepUp, FlipKind::kStepDown};
  expect_changes_of_flips(tiny_model(), kBit);
  expect_changes_of_flips(tiny_bitnet_model(), kBit);
  for (const kernels::TensorType type : kTernary)
    expect_changes_of_flips(*ternary_model(type), kSteps);
  expect_changes_of_flips(tiny_ternary_model(), kSteps);
}

TEST(LegalSteps, lead_to_neighbouring_values) {
  for (const kernels::TensorType type : kTernary) {
    const auto model = ternary_model(type);
    const model::WeightMatrix& matrix = *model->find_matrix(kUp);
    model::RowOverlay state;
    apply_flip(*model, patch::step_up(kUp, kRow, 0), state);
    const TritLayout layout = *kernels::find_trit_layout(type);
    std::vector<std::uint8_t> codes(matrix.weights.cols);
    const std::uint8_t* row = row_bytes(matrix, state, kRow);
    for (std::size_t i = 0; i * layout.block_cols < codes.size(); ++i)
      kernels::decode_ternary_block(type, row + i * layout.block_bytes,
                                    codes.data() + i * layout.block_cols);
    const auto up = legal_steps(*model, state, kUp, kRow, FlipKind::kStepUp);
    const auto down = legal_steps(*model, state, kUp, kRow, FlipKind::kStepDown);
    for (std::uint32_t col = 0; col < codes.size(); ++col) {
      EXPECT_EQ(up[col], codes[col] < 2 ? 1 : 0);
      EXPECT_EQ(down[col], codes[col] > 0 ? 1 : 0);
      EXPECT_EQ(is_legal(*model, state, patch::step_up(kUp, kRow, col)), up[col] == 1);
      EXPECT_EQ(is_legal(*model, state, patch::step_down(kUp, kRow, col)), down[col] == 1);
    }
    EXPECT_TRUE(is_legal(*model, state, patch::row_flip(kUp, kRow)));
    EXPECT_TRUE(is_legal(*model, state, patch::group_flip(kUp, kRow, 1)));
  }
}

// Code 3, which these formats can express, is no trit.
TEST(LegalSteps, leave_alone_what_is_no_trit) {
  const auto model = ternary_model(kernels::TensorType::kQ2_0);
  const model::WeightMatrix& matrix = *model->find_matrix(kUp);
  const TritLayout layout = *kernels::find_trit_layout(kernels::TensorType::kQ2_0);
  std::vector<std::uint8_t> bytes(matrix.weights.data,
                                  matrix.weights.data + matrix.weights.row_bytes);
  bytes[layout.codes_offset] |= 3;  // the first weight
  model::RowOverlay state;
  state.replace_row(*model, kUp, 0, bytes);
  EXPECT_FALSE(is_legal(*model, state, patch::step_up(kUp, 0, 0)));
  EXPECT_FALSE(is_legal(*model, state, patch::step_down(kUp, 0, 0)));
  for (const FlipKind kind : {FlipKind::kStepUp, FlipKind::kStepDown}) {
    std::vector<float> changes(matrix.weights.cols);
    weight_changes(matrix, bytes.data(), kind, changes.data());
    EXPECT_EQ(changes[0], 0.0F);
    EXPECT_NE(changes[1], 0.0F);
  }
}

}  // namespace
}  // namespace bankai::bfs
