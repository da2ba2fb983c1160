#include "model/residual_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

// Rows in front of every half-layer, by a plain forward pass.
std::vector<std::vector<float>> all_rows(Transformer& transformer, std::span<const TokenId> tokens,
                                         std::span<const Segment> segments) {
  const Hyperparameters& h = transformer.model().parameters();
  std::vector<float> x(tokens.size() * h.embedding);
  transformer.embed(tokens, {}, x.data());
  std::vector<std::vector<float>> rows;
  AttentionProjections attention;
  for (std::size_t layer = 0; layer < h.num_layers; ++layer) {
    rows.push_back(x);
    transformer.project_attention(layer, tokens.size(), x.data(), {}, attention);
    transformer.finish_attention(layer, segments, attention, {}, x.data());
    rows.push_back(x);
    x = rows[2 * layer];
    transformer.run_layers(layer, layer + 1, segments, {}, x.data());
  }
  return rows;
}

TEST(ResidualRows, AreTheForwardPassWhateverIsKept) {
  bankai::testing::SmallShape shape;
  shape.num_layers = 6;
  const auto model = bankai::testing::make_small_model(shape);
  Transformer transformer(*model, best_kernels(), a16());
  const auto tokens = bankai::testing::random_tokens(12, shape.vocabulary, 1);
  const Segment segments[] = {{0, 5, nullptr, 0}, {5, 7, nullptr, 0}};
  const auto expected = all_rows(transformer, tokens, segments);
  const Replacements none;
  ResidualRows rows(transformer);
  const std::size_t row_bytes = tokens.size() * shape.embedding * sizeof(float);
  // From nothing to all rows and then pre-activations, in blocks that use the same memory.
  for (std::size_t kept = 0; kept < 50; ++kept) {
    for (const std::size_t lowest : {0U, 3U, 4U, 11U}) {
      rows.begin(tokens, segments, none, lowest, 11, kept * row_bytes);
      std::vector<float> x;
      for (std::size_t half_layer = 12; half_layer-- > lowest;) {
        rows.load(half_layer, x);
        ASSERT_EQ(x, expected[half_layer]) << kept << " rows, half-layer " << half_layer;
        const FfnProjections* ffn = rows.ffn(half_layer);
        if (ffn == nullptr) continue;
        FfnProjections again;
        transformer.project_ffn(half_layer / 2, tokens.size(), x.data(), {}, again);
        EXPECT_EQ(ffn->gate, again.gate);
        EXPECT_EQ(ffn->up, again.up);
      }
    }
    EXPECT_EQ(rows.ffn(12), nullptr);
  }
  rows.begin(tokens, segments, none, 0, 11, 50 * row_bytes);
  std::vector<float> x;
  rows.load(11, x);
  EXPECT_NE(rows.ffn(9), nullptr);
}

}  // namespace
}  // namespace bankai::model
