#include "model/gradient_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "core/counter_rng.h"
#include "tests/model/forward_checks.h"

namespace bankai::model {
namespace {

std::vector<float> random_floats(std::size_t count, float spread, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(spread * static_cast<float>(2.0 * rng.uniform(i) - 1.0));
  return values;
}

// Central difference in double precision: good to the square of the step.
double slope(const std::function<double(double)>& f, double x) {
  constexpr double kStep = 1e-5;
  return (f(x + kStep) - f(x - kStep)) / (2.0 * kStep);
}

TEST(GradientSteps, NormIsTheSlopeOfTheNorm) {
  for (const std::size_t n : {1U, 5U, 16U, 33U, 128U}) {
    for (const double epsilon : {1e-6, 0.3}) {
      const auto x = random_floats(n, 2.0F, n);
      const auto weight = random_floats(n, 1.5F, n + 1);
      const auto gradient = random_floats(n, 3.0F, n + 2);
      const auto objective = [&](std::size_t at, double value) {
        double squares = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
          const double v = i == at ? value : static_cast<double>(x[i]);
          squares += v * v;
        }
        const double r = 1.0 / std::sqrt(squares / static_cast<double>(n) + epsilon);
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i)
          sum += static_cast<double>(gradient[i]) * static_cast<double>(weight[i]) * r *
                 (i == at ? value : static_cast<double>(x[i]));
        return sum;
      };
      std::vector<float> out(n);
      norm_gradient(best_kernels(), x.data(), weight.data(), gradient.data(), n,
                    static_cast<float>(epsilon), out.data());
      for (std::size_t i = 0; i < n; ++i)
        EXPECT_NEAR(static_cast<double>(out[i]),
                    slope([&](double v) { return objective(i, v); }, static_cast<double>(x[i])),
                    2e-5 * static_cast<double>(n > 1 ? 1.0F : 10.0F));
      std::vector<float> in_place = gradient;
      norm_gradient(best_kernels(), x.data(), weight.data(), in_place.data(), n,
                    static_cast<float>(epsilon), in_place.data());
      EXPECT_EQ(in_place, out);
    }
  }
}

double silu(double x) { return x / (1.0 + std::exp(-x)); }
double relu2(double x) { return x > 0.0 ? x * x : 0.0; }

TEST(GradientSteps, ActivationIsTheSlopeOfTheActivation) {
  std::vector<float> gate = random_floats(601, 8.0F, 1);
  for (const float special : {0.0F, 1e-39F, 1e-30F, -1e-30F, 30.0F, -30.0F, 85.0F, -85.0F, 1e-3F})
    gate.push_back(special);
  const std::size_t n = gate.size();
  const auto up = random_floats(n, 2.0F, 2);
  const auto gradient = random_floats(n, 1.0F, 3);
  for (const Activation activation : {Activation::kSilu, Activation::kRelu2}) {
    const auto f = activation == Activation::kSilu ? silu : relu2;
    std::vector<float> gate_gradient(n);
    std::vector<float> up_gradient(n);
    activation_gradient(best_kernels(), activation, gate.data(), up.data(), gradient.data(), n,
                        gate_gradient.data(), up_gradient.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto g = static_cast<double>(gate[i]);
      const auto d = static_cast<double>(gradient[i]);
      const double gate_expected = d * static_cast<double>(up[i]) * slope(f, g);
      EXPECT_NEAR(static_cast<double>(gate_gradient[i]), gate_expected,
                  1e-5 + 1e-5 * std::fabs(gate_expected))
          << gate[i];
      EXPECT_NEAR(static_cast<double>(up_gradient[i]), d * f(g),
                  1e-6 * (1.0 + std::fabs(d * f(g))));
    }
  }
}

TEST(GradientSteps, ActivationIsTheSameAtTheFarEnds) {
  const float gate[] = {-200.0F, 200.0F, -1e30F};
  const float ones[] = {1.0F, 1.0F, 1.0F};
  float gate_gradient[3];
  float up_gradient[3];
  activation_gradient(best_kernels(), Activation::kSilu, gate, ones, ones, 3, gate_gradient,
                      up_gradient);
  EXPECT_EQ(gate_gradient[0], 0.0F);
  EXPECT_EQ(gate_gradient[1], 1.0F);
  EXPECT_EQ(gate_gradient[2], 0.0F);
}

// The transposed of a rotation, whatever its magnitude: ⟨R x, y⟩ = ⟨x, Rᵀ y⟩.
TEST(GradientSteps, UnrotationIsTheTransposedRotation) {
  for (const std::size_t half : {1U, 8U, 20U, 40U}) {
    const auto cos = random_floats(half, 1.2F, half);
    const auto sin = random_floats(half, 1.2F, half + 1);
    const auto x = random_floats(2 * half, 1.0F, half + 2);
    const auto y = random_floats(2 * half, 1.0F, half + 3);
    std::vector<float> rotated = x;
    best_kernels().rope_neox(rotated.data(), cos.data(), sin.data(), half);
    std::vector<float> back = y;
    unrotate_gradient(back.data(), cos.data(), sin.data(), half);
    double left = 0.0;
    double right = 0.0;
    for (std::size_t i = 0; i < 2 * half; ++i) {
      left += static_cast<double>(rotated[i]) * static_cast<double>(y[i]);
      right += static_cast<double>(x[i]) * static_cast<double>(back[i]);
    }
    EXPECT_NEAR(left, right, 1e-5);
  }
}

}  // namespace
}  // namespace bankai::model
