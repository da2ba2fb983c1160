#include "model/random_binary_model.h"

#include <cmath>

#include "core/counter_rng.h"

namespace bankai::model {
namespace {

constexpr BinaryShapeName kShapes[] = {
    {"5m", {128, 512, 4, 8, 192, 256}},
    {"12m", {128, 512, 6, 8, 640, 256}},
    {"21m", {128, 512, 8, 8, 1024, 256}},
};

// Draws in a fixed order.
class RandomParts {
 public:
  explicit RandomParts(std::uint64_t seed) : rng_(seed) {}

  BinaryMatrix matrix(std::size_t rows, std::size_t cols) {
    BinaryMatrix matrix{rows, cols,
                        std::vector<std::uint64_t>(rows * BinaryMatrix::words_of(cols))};
    const std::size_t words = matrix.row_words();
    for (std::size_t i = 0; i < matrix.bits.size(); ++i) {
      matrix.bits[i] = rng_.bits(next_++);
      if (i % words == words - 1) matrix.bits[i] &= BinaryMatrix::last_word_mask(cols);
    }
    return matrix;
  }

  BinaryLinear linear(std::size_t rows, std::size_t cols) {
    BinaryLinear linear{matrix(rows, cols), std::vector<std::int32_t>(rows)};
    for (std::int32_t& threshold : linear.thresholds)
      threshold = integer_threshold(0.5 * symmetric(), cols, ThresholdRounding::kNearest);
    return linear;
  }

  // In [-1, 1).
  double symmetric() { return 2.0 * rng_.uniform(next_++) - 1.0; }

 private:
  CounterRng rng_;
  std::uint64_t next_ = 0;
};

}  // namespace

std::span<const BinaryShapeName> binary_shapes() { return kShapes; }

std::int32_t integer_threshold(double threshold, std::size_t inputs, ThresholdRounding rounding) {
  constexpr double kLimit = 2147483647.0;
  const double exact = threshold * std::sqrt(static_cast<double>(inputs));
  const double rounded =
      rounding == ThresholdRounding::kNearest ? std::nearbyint(exact) : std::ceil(exact);
  return static_cast<std::int32_t>(std::fmin(std::fmax(rounded, -kLimit), kLimit));
}

BinaryModel random_binary_model(const BinaryShape& shape, std::uint64_t seed) {
  RandomParts parts(seed);
  BinaryModel model;
  model.shape = shape;
  model.embedding = parts.matrix(shape.vocabulary, shape.width);
  model.layers.resize(shape.num_layers);
  for (BinaryLayer& layer : model.layers) {
    for (std::size_t h = 0; h < shape.num_heads; ++h)
      layer.slopes.push_back(std::int32_t{1} << h % 4);
    for_each_linear(shape, layer,
                    [&](const char*, BinaryLinear& linear, std::size_t rows, std::size_t cols) {
                      linear = parts.linear(rows, cols);
                    });
  }
  model.codebook = parts.matrix(shape.vocabulary, shape.width);
  for (std::size_t v = 0; v < shape.vocabulary; ++v)
    model.biases.push_back(static_cast<std::int64_t>(
        parts.symmetric() * static_cast<double>(4 * model.logit_multiplier)));
  return model;
}

}  // namespace bankai::model
