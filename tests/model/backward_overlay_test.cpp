// The backward pass under an overlay, and what its gradients tell of flips.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "model/tensor_names.h"
#include "tests/model/forward_checks.h"
#include "tests/model/gradient_checks.h"

namespace bankai::model {
namespace {

using bankai::testing::make_small_model;
using bankai::testing::SmallShape;

// An overlay with flips of every kind in every one-bit matrix, and the model with them in its file.
struct Flipped {
  RowOverlay overlay;
  std::shared_ptr<const Model> model;
};

Flipped flip_everywhere(const Model& model) {
  Flipped flipped;
  std::vector<std::byte> bytes(model.file().bytes().begin(), model.file().bytes().end());
  for (const TensorAddress address : model.bit_matrix_addresses()) {
    const GgufTensor* tensor = model.file().find_tensor(gguf_tensor_name(address));
    const auto matrix = MutableBitMatrixView::from_q1_0(bytes.data() + tensor->offset,
                                                        tensor->rows(), tensor->cols());
    const std::size_t last = tensor->rows() - 1;
    flipped.overlay.flip_row(model, address, 3);
    matrix.flip_row(3);
    flipped.overlay.flip_row(model, address, last);
    matrix.flip_row(last);
    flipped.overlay.flip_group(model, address, 40, 0);
    matrix.flip_group(40, 0);
    flipped.overlay.flip_bit(model, address, 41, 9);
    matrix.flip_bit(41, 9);
  }
  flipped.model = bankai::testing::model_of_bytes(std::move(bytes));
  return flipped;
}

TEST(Backward, AnOverlayCountsLikeTheModifiedFile) {
  for (const bool tied : {false, true}) {
    SmallShape shape = mixed_shape();
    shape.tied = tied;
    const auto model = make_small_model(shape);
    const Flipped flipped = flip_everywhere(*model);
    const GradientProblem problem = some_segments(shape.vocabulary, 7);
    for (const ForwardOptions& options : {a8(), a16()}) {
      Transformer plain(*model, best_kernels(), options);
      Transformer modified(*flipped.model, best_kernels(), options);
      const auto arrays = record_gradients(plain, problem, {&flipped.overlay, {}}).arrays;
      EXPECT_EQ(arrays, record_gradients(modified, problem).arrays);
      EXPECT_NE(arrays, record_gradients(plain, problem).arrays);
    }
  }
}

// −2 · w · x · gradient, summed over tokens, against the exact change of the objective by the bit.
TEST(Backward, PredictsTheFlipOfABit) {
  SmallShape shape;
  shape.embedding = 256;
  shape.feed_forward = 512;
  const auto model = make_small_model(shape);
  GradientProblem problem = some_segments(shape.vocabulary, 11);
  Transformer transformer(*model, best_kernels(), a16());
  const auto arrays = record_gradients(transformer, problem).arrays;
  const auto objective = [&](const RowOverlay& overlay) {
    const std::vector<float> logits =
        block_logits(transformer, problem.tokens, problem.segments, {&overlay, {}});
    double sum = 0.0;
    for (std::size_t i = 0; i < problem.scored_rows.size(); ++i) {
      const auto begin =
          logits.begin() + static_cast<std::ptrdiff_t>(problem.scored_rows[i] * shape.vocabulary);
      const std::vector<double> row(begin, begin + static_cast<std::ptrdiff_t>(shape.vocabulary));
      sum += row[static_cast<std::size_t>(problem.targets[i])] - log_total(row);
    }
    return sum;
  };
  const double base = objective({});
  const std::pair<Projection, const char*> projections[] = {
      {Projection::kQuery, "query"},   {Projection::kKey, "key"},   {Projection::kValue, "value"},
      {Projection::kOutput, "output"}, {Projection::kGate, "gate"}, {Projection::kUp, "up"},
      {Projection::kDown, "down"}};
  const CounterRng rng(1);
  std::uint64_t draw = 0;
  for (const auto& [projection, name] : projections) {
    for (std::uint32_t layer = 0; layer < shape.num_layers; ++layer) {
      const TensorAddress address{layer, projection};
      const WeightMatrix& matrix = *model->find_matrix(address);
      const RecordedArray& gradient = arrays.at({layer, name});
      const RecordedArray& input = arrays.at({layer, std::string(name) + " input"});
      double wrong = 0.0;
      double exact = 0.0;
      for (int sample = 0; sample < 12; ++sample) {
        const std::size_t row = rng.below(draw++, matrix.weights.rows);
        const std::size_t col = rng.below(draw++, matrix.weights.cols);
        std::vector<float> weights(matrix.weights.cols);
        kernels::widen_row(matrix.weights, row, weights.data());
        double predicted = 0.0;
        for (std::size_t t = 0; t < gradient.tokens.size(); ++t)
          predicted -= 2.0 * static_cast<double>(weights[col]) *
                       static_cast<double>(input.values[t * input.width + col]) *
                       static_cast<double>(gradient.values[t * gradient.width + row]);
        RowOverlay overlay;
        overlay.flip_bit(*model, address, row, col);
        const double change = objective(overlay) - base;
        wrong += (predicted - change) * (predicted - change);
        exact += change * change;
      }
      // A flip of a bit is no small step in a model of this size: it moves an output by about a
      // tenth, and the second order by as much of the first.
      EXPECT_LT(std::sqrt(wrong), 0.1 * std::sqrt(exact)) << name << " of layer " << layer;
    }
  }
}

}  // namespace
}  // namespace bankai::model
