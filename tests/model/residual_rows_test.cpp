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
  auto tokens = bankai::testing::random_tokens(30, shape.vocabulary, 1);
  // The third sequence begins like the second, the fourth is a part of it.
  std::copy_n(tokens.begin() + 5, 4, tokens.begin() + 12);
  std::copy_n(tokens.begin() + 12, 7, tokens.begin() + 23);
  const Segment segments[] = {
      {0, 5, nullptr, 0}, {5, 7, nullptr, 0}, {12, 11, nullptr, 0}, {23, 7, nullptr, 0}};
  const auto expected = all_rows(transformer, tokens, segments);
  const Replacements none;
  ResidualRows rows(transformer);
  const std::size_t row_bytes = tokens.size() * shape.embedding * sizeof(float);
  // From nothing to all rows and then pre-activations, in blocks that use the same memory.
  for (std::size_t kept = 0; kept < 120; kept += kept < 12 ? 1 : 4) {
    for (const std::size_t lowest : {0U, 3U, 4U, 11U}) {
      rows.begin(tokens, segments, none, lowest, 11, kept * row_bytes);
      std::vector<float> x;
      for (std::size_t half_layer = 12; half_layer-- > lowest;) {
        rows.load(half_layer, x);
        ASSERT_EQ(x, expected[half_layer]) << kept << " rows, half-layer " << half_layer;
        AttentionParts parts;
        if (rows.attention(half_layer, {0, tokens.size()}, parts)) {
          ASSERT_EQ(half_layer % 2, 0U);
          AttentionParts expected_parts;
          AttentionProjections scratch;
          append_attention(transformer, half_layer / 2, tokens.size(), x.data(), segments, none,
                           scratch, expected_parts);
          EXPECT_EQ(parts.query, expected_parts.query);
          EXPECT_EQ(parts.key, expected_parts.key);
          EXPECT_EQ(parts.rotated.query, expected_parts.rotated.query);
          EXPECT_EQ(parts.rotated.key, expected_parts.rotated.key);
          EXPECT_EQ(parts.rotated.value, expected_parts.rotated.value);
          EXPECT_EQ(parts.mixed, expected_parts.mixed);
        }
        FfnProjections ffn, again;
        if (!rows.ffn(half_layer, {2, tokens.size()}, ffn)) continue;
        transformer.project_ffn(half_layer / 2, tokens.size() - 2, x.data() + 2 * shape.embedding,
                                {}, again);
        EXPECT_EQ(ffn.gate, again.gate);
        EXPECT_EQ(ffn.up, again.up);
      }
    }
    FfnProjections ffn;
    EXPECT_FALSE(rows.ffn(12, {0, 1}, ffn));
  }
  rows.begin(tokens, segments, none, 0, 11, 120 * row_bytes);
  std::vector<float> x;
  rows.load(11, x);
  FfnProjections ffn;
  EXPECT_TRUE(rows.ffn(9, {0, 1}, ffn));
  AttentionParts parts;
  EXPECT_TRUE(rows.attention(10, {0, 1}, parts));
}

}  // namespace
}  // namespace bankai::model
