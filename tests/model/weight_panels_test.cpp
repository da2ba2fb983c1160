// Packed weights: the same in every way of loading, and what a forward pass reads.
#include "model/weight_panels.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/half.h"
#include "kernels/panel_access.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::data_path;
using bankai::testing::make_small_model;
using bankai::testing::SmallShape;
using kernels::TensorType;

std::vector<const WeightMatrix*> packed_matrices(const Model& model) {
  std::vector<const WeightMatrix*> matrices;
  for (std::uint32_t layer = 0; layer < model.parameters().num_layers; ++layer)
    for (const ProjectionNames& names : kProjections)
      if (names.projection < Projection::kEmbedding)
        matrices.push_back(model.find_matrix({layer, names.projection}));
  matrices.push_back(&model.head());
  return matrices;
}

std::span<const std::uint8_t> lines_of(const WeightMatrix& matrix) {
  return {matrix.panels.lines, kernels::panels_bytes(matrix.panels)};
}

TEST(WeightPanels, HoldTheWeightsOfTheFile) {
  SmallShape shape;
  shape.vocabulary = 301;  // the last panel has 13 rows
  for (const bool tied : {false, true}) {
    shape.tied = tied;
    const auto model = make_small_model(shape);
    for (const WeightMatrix* matrix : packed_matrices(*model)) {
      ASSERT_NE(matrix->panels.lines, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix->panels.lines) % kernels::kLineBytes, 0U);
      std::vector<float> row(matrix->weights.cols);
      for (std::size_t r = 0; r < matrix->weights.rows; ++r) {
        kernels::widen_row(matrix->weights, r, row.data());
        for (std::size_t c = 0; c < row.size(); ++c)
          ASSERT_EQ(row[c], static_cast<float>(kernels::panel_weight(matrix->panels, r, c)) *
                                kernels::f16_to_float(kernels::panel_scale(matrix->panels, r, c)));
      }
    }
    EXPECT_EQ(model->embedding().panels.lines != nullptr, tied) << "looked up only, unless tied";
  }
}

TEST(WeightPanels, FloatMatricesHaveNone) {
  SmallShape shape;
  shape.types = {TensorType::kF16, TensorType::kF32, TensorType::kBF16};
  const auto model = make_small_model(shape);
  for (const WeightMatrix* matrix : packed_matrices(*model))
    EXPECT_EQ(matrix->panels.lines, nullptr);
}

TEST(WeightPanels, AreTheSameForAnyNumberOfThreadsAndWhenShared) {
  const std::string path = data_path("demo/bankai-demo-5m.gguf");
  const auto alone = Model::load(path).value();
  EXPECT_TRUE(alone->panels_name().empty());
  const auto owner = Model::load(path, {.threads = 3, .share = true}).value();
  ASSERT_FALSE(owner->panels_name().empty());
  const auto guest = Model::load(path, {.panels_name = owner->panels_name()}).value();
  const auto of_alone = packed_matrices(*alone);
  const auto of_owner = packed_matrices(*owner);
  const auto of_guest = packed_matrices(*guest);
  for (std::size_t i = 0; i < of_alone.size(); ++i) {
    const auto lines = lines_of(*of_alone[i]);
    for (const WeightMatrix* other : {of_owner[i], of_guest[i]}) {
      ASSERT_EQ(lines_of(*other).size(), lines.size());
      ASSERT_EQ(std::memcmp(lines_of(*other).data(), lines.data(), lines.size()), 0);
    }
  }
  // One memory: a change by the owner is seen by the guest.
  auto* line = const_cast<std::uint8_t*>(of_owner[0]->panels.lines);
  *line = static_cast<std::uint8_t>(*line ^ 1U);
  EXPECT_EQ(*of_guest[0]->panels.lines, *line);
  EXPECT_NE(*of_alone[0]->panels.lines, *line);
}

TEST(WeightPanels, OfAnotherModelAreRefused) {
  const auto owner = Model::load(data_path("demo/bankai-demo-5m.gguf"), {.share = true}).value();
  const std::vector<std::byte> bytes = bankai::testing::small_model_bytes(SmallShape());
  auto file = GgufFile::parse(bytes, "small.gguf");
  const auto guest =
      Model::from_file(std::move(file).value(), {.panels_name = owner->panels_name()});
  ASSERT_FALSE(guest.ok());
  EXPECT_EQ(guest.error().code, ErrorCode::kBadInput);
}

TEST(WeightPanels, ADamagedNameIsAnErrorThatNamesItAndTheModel) {
  const std::string path = data_path("demo/bankai-demo-5m.gguf");
  const auto owner = Model::load(path, {.share = true}).value();
  for (const std::string& name : {owner->panels_name() + "9", std::string("/nowhere"), path}) {
    const auto guest = Model::load(path, {.panels_name = name});
    ASSERT_FALSE(guest.ok()) << name;
    EXPECT_EQ(guest.error().code, name == "/nowhere" ? ErrorCode::kIo : ErrorCode::kBadInput);
    EXPECT_TRUE(guest.error().message.starts_with(path + ": " + name + ": "))
        << guest.error().message;
  }
}

}  // namespace
}  // namespace bankai::model
