// Double-precision functions of ours, for tables that are computed once (RoPE angles) and for
// log-sum-exp. Built from +, −, ·, ÷ and fma alone, so that the results are the same bits with
// every compiler and C library. The bounds are tested in tests/kernels/scalar_math_test.cpp.
#pragma once

namespace bankai::kernels {

// e^x. Relative error below 2^-52 where the result is normal; a subnormal result is within one unit
// of its last place. 0 below about −745.1, infinity above about 709.8, NaN for NaN.
double exp_f64(double x);

// The natural logarithm. Relative error below 2^-52, also for subnormal x. log(±0) = −infinity,
// log(infinity) = infinity, NaN for x < 0 and for NaN.
double log_f64(double x);

// base^exponent for base > 0, by exp(exponent · log(base)). Relative error below 2^-52 · (1 +
// |exponent · log(base)|).
double pow_f64(double base, double exponent);

// Both for |x| <= 2^31, absolute error below 2^-52; beyond, and for NaN, both are NaN.
void sin_cos_f64(double x, double* sin, double* cos);

}  // namespace bankai::kernels
