#include "packer/scale_prediction.h"

#include <algorithm>
#include <cmath>

namespace bankai::packer {
namespace {

constexpr std::size_t kUnknowns = kScaleFeatures;

// Sums over the scales of a kind, of numbers less `centre`.
struct Moments {
  double count = 0.0;
  double target = 0.0;
  std::array<double, kUnknowns> feature{};
  std::array<std::array<double, kUnknowns>, kUnknowns> products{};
  std::array<double, kUnknowns> with_target{};

  void add(const ScaleFeatures& features, std::size_t num_features, double value, double centre) {
    const double y = value - centre;
    count += 1.0;
    target += y;
    for (std::size_t i = 0; i < num_features; ++i) {
      const double x = features[i] - centre;
      feature[i] += x;
      with_target[i] += x * y;
      for (std::size_t j = 0; j <= i; ++j) products[i][j] += x * (features[j] - centre);
    }
  }
};

// Solves a · x = b for a symmetric positive definite a of n rows, of which the lower half is given;
// where a pivot is not clearly positive, x is 0 in its place.
std::array<double, kUnknowns> solve(std::array<std::array<double, kUnknowns>, kUnknowns> a,
                                    std::array<double, kUnknowns> b, std::size_t n) {
  std::array<bool, kUnknowns> is_used{};
  for (std::size_t k = 0; k < n; ++k) {  // a = L D Lᵀ in place
    const double least = 1e-9 * a[k][k];
    for (std::size_t j = 0; j < k; ++j)
      if (is_used[j]) a[k][k] -= a[k][j] * a[k][j] * a[j][j];
    is_used[k] = a[k][k] > least && a[k][k] > 0.0;
    if (!is_used[k]) continue;
    for (std::size_t i = k + 1; i < n; ++i) {
      for (std::size_t j = 0; j < k; ++j)
        if (is_used[j]) a[i][k] -= a[i][j] * a[k][j] * a[j][j];
      a[i][k] /= a[k][k];
    }
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (is_used[j]) b[i] -= a[i][j] * b[j];
  for (std::size_t i = 0; i < n; ++i) b[i] = is_used[i] ? b[i] / a[i][i] : 0.0;
  for (std::size_t i = n; i-- > 0;)
    for (std::size_t j = i + 1; j < n; ++j)
      if (is_used[i] && is_used[j]) b[i] -= a[j][i] * b[j];
  return b;
}

ScalePredictor predictor_of(const Moments& moments, std::size_t num_features, double centre) {
  ScalePredictor predictor;
  if (moments.count == 0.0) return predictor;
  auto products = moments.products;
  auto with_target = moments.with_target;
  for (std::size_t i = 0; i < num_features; ++i) {
    with_target[i] -= moments.feature[i] * moments.target / moments.count;
    for (std::size_t j = 0; j <= i; ++j)
      products[i][j] -= moments.feature[i] * moments.feature[j] / moments.count;
    products[i][i] += 1.0 + 1e-6 * products[i][i];  // a scale is known to one unit only
  }
  const auto exact = solve(products, with_target, num_features);
  constexpr double kUnit = 1U << kScaleWeightBits;
  double mean_left = moments.target;  // of the target, less what the weights explain
  double sum = 0.0;
  for (std::size_t i = 0; i < num_features; ++i) {
    const double weight = std::clamp(std::floor(exact[i] * kUnit + 0.5), -1.0 * kMaxScaleWeight,
                                     1.0 * kMaxScaleWeight);
    predictor.weights[i] = static_cast<std::int32_t>(weight);
    mean_left -= weight / kUnit * moments.feature[i];
    sum += weight / kUnit;
  }
  const double intercept = (mean_left / moments.count + centre * (1.0 - sum)) * kUnit;
  predictor.intercept = static_cast<std::int64_t>(
      std::clamp(std::floor(intercept + 0.5), -1.0 * kMaxScaleIntercept, 1.0 * kMaxScaleIntercept));
  return predictor;
}

}  // namespace

std::array<ScalePredictor, kScaleKinds> fit_scale_predictors(std::span<const std::int32_t> scales,
                                                             std::size_t cols) {
  // Near the numbers, so that their squares lose nothing.
  const double centre = scales[scales.size() / 2];
  std::array<Moments, kScaleKinds> moments;
  ScaleNeighbours neighbours(cols);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::size_t kind = scale_kind(i % cols);
    if (i != 0)
      moments[kind].add(neighbours.features(), num_scale_features(kind), scales[i], centre);
    neighbours.advance(scales[i]);
  }
  std::array<ScalePredictor, kScaleKinds> predictors;
  for (std::size_t kind = 0; kind < kScaleKinds; ++kind)
    predictors[kind] = predictor_of(moments[kind], num_scale_features(kind), centre);
  return predictors;
}

}  // namespace bankai::packer
