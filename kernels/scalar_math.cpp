#include "kernels/scalar_math.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bankai::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2High = 0x1.62e42fefap-1;  // 35 bits: its product with an exponent is exact
constexpr double kLn2Low = 0x1.cf79abc9e3b3ap-40;
// Adding it to |x| < 2^51 rounds x to an integer, nearest even.
constexpr double kRoundingShift = 0x1.8p52;

double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52U);
}

// c[0] + c[1] x + c[2] x² + …
template <std::size_t kCount>
double polynomial(const double (&c)[kCount], double x) {
  double value = c[kCount - 1];
  for (std::size_t i = kCount - 1; i-- > 0;) value = std::fma(value, x, c[i]);
  return value;
}

// The Taylor series below are cut where the first missing term is under 2^-57 of the result.

// (e^r − 1 − r) / r²: 1/2!, 1/3!, …; |r| <= 0.347.
constexpr double kExpSeries[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                 1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
// (atanh(s)/s − 1) / s², in s²: 1/3, 1/5, …; |s| <= 0.172.
constexpr double kAtanhSeries[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                   1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
// (sin(r)/r − 1) / r², in r²; |r| <= π/4.
constexpr double kSinSeries[] = {
    -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
    -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
// (cos(r) − 1) / r², in r².
constexpr double kCosSeries[] = {
    -1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
    -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};

}  // namespace

double exp_f64(double x) {
  if (std::isnan(x)) return x;
  if (x > 710.0) return kInfinity;
  if (x < -746.0) return 0.0;
  const double k = (x * 0x1.71547652b82fep+0 + kRoundingShift) - kRoundingShift;
  double r = std::fma(k, -kLn2High, x);
  r = std::fma(k, -kLn2Low, r);
  const double exp_r = 1.0 + std::fma(polynomial(kExpSeries, r), r * r, r);
  const int exponent = static_cast<int>(k);
  const int half = exponent / 2;  // in two factors: the ends of the range need more than one
  return exp_r * power_of_two(half) * power_of_two(exponent - half);
}

double log_f64(double x) {
  if (std::isnan(x) || x < 0.0) return kNan;
  if (x == 0.0) return -kInfinity;
  if (x == kInfinity) return x;
  int exponent = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    exponent = -54;
  }
  // x = 2^exponent · m with m in [√½, √2)
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFU) | 0x3FF0000000000000U);
  exponent += static_cast<int>(bits >> 52U) - 1023;
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    ++exponent;
  }
  // log(m) = 2 atanh(s) with s = f / (2 + f), f = m − 1 (exact). Since 2 s = f − s f, log(m) is f
  // plus a small correction, which keeps the rounding error of s out of the leading term.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double correction = std::fma(s, 2.0 * z * polynomial(kAtanhSeries, z), -s * f);
  const double k = exponent;
  const double high = k * kLn2High;
  // high + f, with its rounding error joined to the correction (|high| is 0 or larger than |f|).
  const double sum = high + f;
  const double sum_error = f - (sum - high);
  return sum + (correction + std::fma(k, kLn2Low, sum_error));
}

double pow_f64(double base, double exponent) { return exp_f64(exponent * log_f64(base)); }

void sin_cos_f64(double x, double* sin, double* cos) {
  if (!(std::fabs(x) <= 0x1p31)) {
    *sin = kNan;
    *cos = kNan;
    return;
  }
  // r = x − k π/2, π/2 = the sum of two doubles. The first step is exact: the difference is a
  // multiple of 2^-53 (of x itself for k = 0) and below 1. The second is rounded once.
  const double k = (x * 0x1.45f306dc9c883p-1 + kRoundingShift) - kRoundingShift;
  double r = std::fma(k, -0x1.921fb54442d18p+0, x);
  r = std::fma(k, -0x1.1a62633145c07p-54, r);
  const double z = r * r;
  const double sin_r = std::fma(r * z, polynomial(kSinSeries, z), r);
  const double cos_r = std::fma(z, polynomial(kCosSeries, z), 1.0);
  switch (static_cast<std::int64_t>(k) & 3) {
    case 0:
      *sin = sin_r;
      *cos = cos_r;
      break;
    case 1:
      *sin = cos_r;
      *cos = -sin_r;
      break;
    case 2:
      *sin = -sin_r;
      *cos = -cos_r;
      break;
    default:
      *sin = -cos_r;
      *cos = sin_r;
      break;
  }
}

}  // namespace bankai::kernels
