#include "model/row_overlay.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/bit_matrix.h"
#include "model/tensor_names.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::random_tokens;
using bankai::testing::SmallShape;

struct TestFlip {
  TensorAddress address;
  std::size_t row;
  int group;  // -1: the whole row, unless a column is given
  int col;
};

// Flips of every kind in every matrix of the model.
std::vector<TestFlip> flips_everywhere(const Model& model) {
  std::vector<TestFlip> flips;
  for (const TensorAddress address : model.bit_matrix_addresses()) {
    const BitMatrixView matrix = *model.bit_matrix(address);
    const std::size_t last = matrix.rows() - 1;
    flips.push_back({address, 3, -1, -1});
    flips.push_back({address, last, static_cast<int>(matrix.groups_per_row()) - 1, -1});
    flips.push_back({address, 5, -1, static_cast<int>(matrix.cols()) - 1});
    flips.push_back({address, 5, -1, 9});
  }
  return flips;
}

void flip_overlay(RowOverlay& overlay, const Model& model, const TestFlip& flip) {
  if (flip.col >= 0)
    overlay.flip_bit(model, flip.address, flip.row, static_cast<std::size_t>(flip.col));
  else if (flip.group >= 0)
    overlay.flip_group(model, flip.address, flip.row, static_cast<std::size_t>(flip.group));
  else
    overlay.flip_row(model, flip.address, flip.row);
}

void flip_bits(const MutableBitMatrixView& matrix, const TestFlip& flip) {
  if (flip.col >= 0)
    matrix.flip_bit(flip.row, static_cast<std::size_t>(flip.col));
  else if (flip.group >= 0)
    matrix.flip_group(flip.row, static_cast<std::size_t>(flip.group));
  else
    matrix.flip_row(flip.row);
}

// The model with the flips in its file.
std::shared_ptr<const Model> modified(const Model& model, const std::vector<TestFlip>& flips) {
  std::vector<std::byte> bytes(model.file().bytes().begin(), model.file().bytes().end());
  for (const TestFlip& flip : flips) {
    const GgufTensor* tensor = model.file().find_tensor(gguf_tensor_name(flip.address));
    flip_bits(MutableBitMatrixView::from_q1_0(bytes.data() + tensor->offset, tensor->rows(),
                                              tensor->cols()),
              flip);
  }
  return bankai::testing::model_of_bytes(std::move(bytes));
}

TEST(RowOverlay, RunsLikeTheModifiedFile) {
  for (const bool tied : {false, true}) {
    SmallShape shape;
    shape.tied = tied;
    const auto model = bankai::testing::make_small_model(shape);
    auto tokens = random_tokens(21, shape.vocabulary, 6);
    tokens[1] = 3;  // rows that the flips change in the embedding
    tokens[7] = 5;
    tokens[9] = 298;
    for (const ForwardOptions& options : {a8(), a16()}) {
      const std::vector<float> plain = sequence_logits(*model, tokens, options);
      RowOverlay all;
      const std::vector<TestFlip> flips = flips_everywhere(*model);
      for (const TestFlip& flip : flips) {
        RowOverlay overlay;
        flip_overlay(overlay, *model, flip);
        flip_overlay(all, *model, flip);
        const std::vector<float> flipped = sequence_logits(*model, tokens, options, {&overlay, {}});
        EXPECT_NE(flipped, plain) << to_string(flip.address);
        EXPECT_EQ(flipped, sequence_logits(*modified(*model, {flip}), tokens, options))
            << to_string(flip.address) << " row " << flip.row;
      }
      EXPECT_EQ(sequence_logits(*model, tokens, options, {&all, {}}),
                sequence_logits(*modified(*model, flips), tokens, options));
    }
  }
}

TEST(RowOverlay, LocalRowsHoldForTheirTokensOnly) {
  const auto model = bankai::testing::make_small_model({});
  auto tokens = random_tokens(12, 299, 2);
  tokens[0] = 3;
  Transformer transformer(*model, best_kernels(), a16());
  const std::vector<float> plain = sequence_logits(transformer, tokens);
  std::vector<TokenId> block = tokens;
  for (int copy = 0; copy < 2; ++copy) block.insert(block.end(), tokens.begin(), tokens.end());
  const Segment segments[] = {{0, 12, nullptr, 0}, {12, 12, nullptr, 0}, {24, 12, nullptr, 0}};
  for (const TestFlip& flip : flips_everywhere(*model)) {
    RowOverlay overlay;
    flip_overlay(overlay, *model, flip);
    const LocalRow local{flip.address, flip.row, overlay.find_row(flip.address, flip.row), 12, 12};
    std::vector<float> expected = plain;
    const std::vector<float> flipped = sequence_logits(transformer, tokens, {&overlay, {}});
    expected.insert(expected.end(), flipped.begin(), flipped.end());
    expected.insert(expected.end(), plain.begin(), plain.end());
    EXPECT_EQ(block_logits(transformer, block, segments, {nullptr, {&local, 1}}), expected)
        << to_string(flip.address);
  }
}

TEST(RowOverlay, LocalRowsWinOverTheOverlay) {
  const auto model = bankai::testing::make_small_model({});
  const auto tokens = random_tokens(12, 299, 2);
  const TensorAddress gate{1, Projection::kGate};
  Transformer transformer(*model, best_kernels(), a16());
  RowOverlay first, second;
  first.flip_row(*model, gate, 8);
  second.flip_bit(*model, gate, 8, 20);
  const LocalRow local{gate, 8, second.find_row(gate, 8), 0, 12};
  EXPECT_EQ(sequence_logits(transformer, tokens, {&first, {&local, 1}}),
            sequence_logits(transformer, tokens, {&second, {}}));
}

TEST(RowOverlay, FlippingTwiceRestores) {
  const auto model = bankai::testing::make_small_model({});
  RowOverlay overlay;
  for (int times = 0; times < 2; ++times)
    for (const TestFlip& flip : flips_everywhere(*model)) flip_overlay(overlay, *model, flip);
  EXPECT_TRUE(overlay.empty());
}

TEST(RowOverlay, ARowIsAllItsGroupsAndAllItsBits) {
  const auto model = bankai::testing::make_small_model({});
  const TensorAddress down{0, Projection::kDown};  // 256 inputs
  RowOverlay row, groups, bits;
  row.flip_row(*model, down, 1);
  groups.flip_group(*model, down, 1, 0);
  EXPECT_NE(*row.find(down), *groups.find(down));
  groups.flip_group(*model, down, 1, 1);
  for (std::size_t col = 0; col < 256; ++col) bits.flip_bit(*model, down, 1, col);
  EXPECT_EQ(*row.find(down), *groups.find(down));
  EXPECT_EQ(*row.find(down), *bits.find(down));
  EXPECT_EQ(row.find_row(down, 2), nullptr);
  EXPECT_EQ(row.find({1, Projection::kDown}), nullptr);
  EXPECT_NE(row.find_row(down, 1), nullptr);
}

}  // namespace
}  // namespace bankai::model
