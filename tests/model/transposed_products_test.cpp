// Transposed products of every type of matrix against doubles, however they are divided.
#include "model/transposed_products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/counter_rng.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::make_small_model;
using bankai::testing::SmallShape;
using kernels::TensorType;

std::vector<float> random_gradient(std::size_t count) {
  const CounterRng rng(9);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(static_cast<float>(2.0 * rng.uniform(i) - 1.0));
  return values;
}

TEST(TransposedProducts, EveryTypeIsTheTransposedProduct) {
  const TensorType types[] = {TensorType::kQ1_0,  TensorType::kQ8_0,  TensorType::kF32,
                              TensorType::kF16,   TensorType::kBF16,  TensorType::kTQ1_0,
                              TensorType::kTQ2_0, TensorType::kPQ2_0, TensorType::kQ2_0,
                              TensorType::kI2_S};
  constexpr std::size_t kTokens = 70;  // more than share a tile
  for (const TensorType type : types) {
    SmallShape shape;
    shape.types = {type};
    shape.has_scales = true;
    shape.embedding = shape.feed_forward = 256;
    shape.num_heads = 4;
    shape.num_layers = 1;
    const auto model = make_small_model(shape);
    const WeightMatrix& matrix = model->head();  // 299 rows: no whole panels
    const std::size_t rows = matrix.weights.rows;
    const std::size_t cols = matrix.weights.cols;
    const auto gradient = random_gradient(kTokens * rows);
    std::vector<float> out(kTokens * cols);
    multiply_transposed(best_kernels(), 1, matrix, {}, kTokens, gradient.data(), true, out.data());
    std::vector<double> expected(out.size());
    std::vector<float> weights(cols);
    for (std::size_t row = 0; row < rows; ++row) {
      kernels::widen_row(matrix.weights, row, weights.data());
      for (std::size_t i = 0; i < out.size(); ++i)
        expected[i] += static_cast<double>(gradient[i / cols * rows + row]) *
                       static_cast<double>(weights[i % cols]) * static_cast<double>(matrix.scale);
    }
    double difference = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      difference += std::pow(static_cast<double>(out[i]) - expected[i], 2);
      squares += expected[i] * expected[i];
    }
    EXPECT_GT(squares, 0.0);
    // The 16-bit gradients of one-bit matrices are good to 1e-4, the sums of floats to less.
    EXPECT_LT(std::sqrt(difference / squares), 1e-4) << kernels::tensor_type_info(type).name;
    for (const kernels::KernelTable* table : runnable_kernels()) {
      for (const int threads : {1, 2, 3, 7}) {
        std::vector<float> other(out.size());
        multiply_transposed(*table, threads, matrix, {}, kTokens, gradient.data(), true,
                            other.data());
        EXPECT_EQ(other, out) << table->name << ", " << threads << " threads";
      }
    }
    std::vector<float> one(cols);
    multiply_transposed(best_kernels(), 2, matrix, {}, 1, gradient.data() + 69 * rows, true,
                        one.data());
    EXPECT_TRUE(std::equal(one.begin(), one.end(), out.end() - static_cast<std::ptrdiff_t>(cols)));
  }
}

}  // namespace
}  // namespace bankai::model
