// The bounds that scalar_math.h states, against the C library's long double functions.
#include "kernels/scalar_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/counter_rng.h"

namespace bankai::kernels {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kBound = 0x1p-52;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double relative_error(double actual, long double exact) {
  return static_cast<double>(std::fabs((static_cast<long double>(actual) - exact) / exact));
}

// Calls check(x) for `count` points spread over [first, last].
template <typename Check>
void sweep(double first, double last, int count, Check check) {
  const CounterRng rng(41);
  for (int i = 0; i <= count; ++i) {
    const double even = static_cast<double>(i) / count;
    const double shaken = even + (rng.uniform(static_cast<std::uint64_t>(i)) - 0.5) / count;
    check(first + (last - first) * std::clamp(shaken, 0.0, 1.0));
  }
}

TEST(ScalarMath, ExpIsWithinItsBound) {
  double largest = 0.0;
  const auto check = [&](double x) {
    largest = std::max(largest, relative_error(exp_f64(x), std::exp(static_cast<long double>(x))));
  };
  sweep(-708.0, 709.7, 200000, check);
  sweep(-1.0, 1.0, 200000, check);
  EXPECT_LT(largest, kBound);
  sweep(-745.0, -708.4, 20000, [](double x) {  // subnormal results: within one unit
    const long double exact = std::exp(static_cast<long double>(x));
    EXPECT_LE(std::fabs(static_cast<long double>(exp_f64(x)) - exact), 0x1p-1074L) << x;
  });
  EXPECT_EQ(exp_f64(0.0), 1.0);
  EXPECT_EQ(exp_f64(-kInf), 0.0);
  EXPECT_EQ(exp_f64(-746.0), 0.0);
  EXPECT_EQ(exp_f64(kInf), kInf);
  EXPECT_EQ(exp_f64(709.79), kInf);
  EXPECT_TRUE(std::isnan(exp_f64(kNan)));
}

TEST(ScalarMath, LogIsWithinItsBound) {
  double largest = 0.0;
  const auto check = [&](double x) {
    const long double exact = std::log(static_cast<long double>(x));
    if (exact != 0.0L) largest = std::max(largest, relative_error(log_f64(x), exact));
  };
  sweep(0.5, 2.0, 200000, check);
  sweep(0.99999, 1.00001, 100000, check);
  sweep(0.0, 1e6, 100000, [&](double x) {
    if (x > 0.0) check(x);
  });
  sweep(-1074.0, 1023.9, 100000, [&](double e) { check(std::exp2(e)); });
  for (double x = 0.70710678118; x < 0.7071067812; x += 1e-15) check(x);  // the end of the interval
  EXPECT_LT(largest, kBound);
  EXPECT_EQ(log_f64(1.0), 0.0);
  EXPECT_EQ(log_f64(0.0), -kInf);
  EXPECT_EQ(log_f64(-0.0), -kInf);
  EXPECT_EQ(log_f64(kInf), kInf);
  EXPECT_TRUE(std::isnan(log_f64(-1.0)));
  EXPECT_TRUE(std::isnan(log_f64(kNan)));
}

TEST(ScalarMath, PowIsWithinItsBound) {
  const CounterRng rng(42);
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const double base = exp_f64(20.0 * rng.uniform(2 * i) - 3.0);
    const double exponent = 8.0 * rng.uniform(2 * i + 1) - 4.0;
    const long double exact =
        std::pow(static_cast<long double>(base), static_cast<long double>(exponent));
    const double bound = kBound * (1.0 + std::fabs(exponent * std::log(base)));
    ASSERT_LT(relative_error(pow_f64(base, exponent), exact), bound) << base << "^" << exponent;
  }
  EXPECT_EQ(pow_f64(10000.0, 0.0), 1.0);
}

TEST(ScalarMath, SineAndCosineAreWithinTheirBound) {
  double largest = 0.0;
  const auto check = [&](double x) {
    double sin = 0.0;
    double cos = 0.0;
    sin_cos_f64(x, &sin, &cos);
    const long double wide = static_cast<long double>(x);
    largest = std::max(
        {largest, static_cast<double>(std::fabs(static_cast<long double>(sin) - std::sin(wide))),
         static_cast<double>(std::fabs(static_cast<long double>(cos) - std::cos(wide)))});
  };
  sweep(-10.0, 10.0, 200000, check);
  sweep(-0x1p31, 0x1p31, 200000, check);
  sweep(0.0, 300000.0, 200000, check);
  // Next to the multiples of π/4, where the quadrant changes and where results cancel.
  for (int k = 0; k < 100000; ++k)
    for (const double offset : {-1e-9, 0.0, 1e-9}) check(0.78539816339744830962 * k + offset);
  EXPECT_LT(largest, kBound);
}

TEST(ScalarMath, SineAndCosineOutsideTheirRangeAreNan) {
  for (const double x : {kInf, -kInf, kNan, 0x1.00001p31, -1e300}) {
    double sin = 0.0;
    double cos = 0.0;
    sin_cos_f64(x, &sin, &cos);
    EXPECT_TRUE(std::isnan(sin)) << x;
    EXPECT_TRUE(std::isnan(cos)) << x;
  }
  double sin = 1.0;
  double cos = 0.0;
  sin_cos_f64(0.0, &sin, &cos);
  EXPECT_EQ(sin, 0.0);
  EXPECT_EQ(cos, 1.0);
}

}  // namespace
}  // namespace bankai::kernels
