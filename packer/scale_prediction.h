// Predicts a group scale from its neighbours, in integers. A 16-bit float counts as a signed number
// that is ordered as its value: its bits without the sign, less 1 and negated below zero.
//
// There are two kinds of scales: the first of a row, predicted from the one above and the mean of
// its column so far, and the others, also from the one to the left and the mean of the row so far.
// A block's first row has none above: there, what is above and the mean of the column is the one
// to the left, or 0. Means are rounded towards zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bankai::packer {

inline constexpr std::size_t kScaleKinds = 2;     // first of a row, other
inline constexpr std::size_t kScaleFeatures = 4;  // above, column mean, left, row mean
inline constexpr unsigned kScaleWeightBits = 7;   // weights are in 1/128
inline constexpr std::int32_t kMaxScaleWeight = 1024;
inline constexpr std::int64_t kMaxScaleIntercept = std::int64_t{1} << 28U;

// The kind of the scales in a column, and how many features it has.
constexpr std::size_t scale_kind(std::size_t col) { return col == 0 ? 0 : 1; }
constexpr std::size_t num_scale_features(std::size_t kind) { return kind == 0 ? 2 : 4; }

constexpr std::int32_t ordered_scale(std::uint16_t bits) {
  const std::int32_t magnitude = bits & 0x7fff;
  return (bits & 0x8000U) != 0 ? -magnitude - 1 : magnitude;
}
constexpr std::uint16_t scale_of_ordered(std::int32_t ordered) {
  return static_cast<std::uint16_t>(ordered < 0 ? (-ordered - 1) | 0x8000 : ordered);
}

// prediction = (intercept + Σ weight · feature) >> 7, kept within 16 bits.
struct ScalePredictor {
  std::array<std::int32_t, kScaleFeatures> weights{};
  std::int64_t intercept = 0;
};

using ScaleFeatures = std::array<std::int32_t, kScaleFeatures>;

inline std::int32_t predict_scale(const ScalePredictor& predictor, const ScaleFeatures& features) {
  std::int64_t sum = predictor.intercept;
  for (std::size_t i = 0; i < kScaleFeatures; ++i)
    sum += std::int64_t{predictor.weights[i]} * features[i];
  const std::int64_t value = sum >> kScaleWeightBits;
  return static_cast<std::int32_t>(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
}

// Walks a block in row-major order: features() of the next scale, then advance() with its value.
class ScaleNeighbours {
 public:
  explicit ScaleNeighbours(std::size_t cols) : above_(cols), column_sums_(cols) {}

  ScaleFeatures features() const {
    if (row_ == 0)
      return col_ == 0 ? ScaleFeatures{} : ScaleFeatures{left_, left_, left_, row_mean()};
    const auto column_mean =
        static_cast<std::int32_t>(column_sums_[col_] / static_cast<std::int64_t>(row_));
    if (col_ == 0) return {above_[0], column_mean, 0, 0};
    return {above_[col_], column_mean, left_, row_mean()};
  }
  void advance(std::int32_t value) {
    above_[col_] = value;
    column_sums_[col_] += value;
    left_ = value;
    row_sum_ += value;
    if (++col_ < above_.size()) return;
    col_ = 0;
    row_sum_ = 0;
    ++row_;
  }

 private:
  std::int32_t row_mean() const {
    return static_cast<std::int32_t>(row_sum_ / static_cast<std::int64_t>(col_));
  }

  std::size_t row_ = 0;
  std::size_t col_ = 0;
  std::int32_t left_ = 0;
  std::int64_t row_sum_ = 0;
  std::vector<std::int32_t> above_;
  std::vector<std::int64_t> column_sums_;
};

// The predictors with the least squared error over a block of ordered scales, by the normal
// equations, in double arithmetic of a fixed order.
std::array<ScalePredictor, kScaleKinds> fit_scale_predictors(std::span<const std::int32_t> scales,
                                                             std::size_t cols);

}  // namespace bankai::packer
