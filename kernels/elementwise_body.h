// The float operations of KernelTable, written once for any vector type V of 16 float lanes
// (vec16_scalar.h, vec16_avx2.h, vec16_avx512.h). Every lane operation is one correctly rounded
// IEEE operation and their order is fixed here, so all instruction sets give the same bits.
// In an unnamed namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

// exp(x) = 2^k · exp(r) with k = round(x · log2 e), |r| <= ln 2 / 2; derived in docs/kernels.md.
// The clamp keeps k in [-150, 128]; beyond it the result is 0 or infinity anyway.
template <typename V>
V exp_lanes(V x) {
  constexpr float kLog2E = 0x1.715476p+0F;
  constexpr float kLn2High = 0x1.62e4p-1F;  // 16 bits, so that k · kLn2High is exact
  constexpr float kLn2Low = 0x1.7f7d1cp-20F;
  constexpr float kRoundingShift = 0x1.8p23F;  // x + shift has round(x) in its low mantissa bits
  x = V::clamp(x, -104.0F, 89.0F);
  const V shifted = V::fma(x, V::broadcast(kLog2E), V::broadcast(kRoundingShift));
  const V k = shifted - V::broadcast(kRoundingShift);
  V r = V::fma(k, V::broadcast(-kLn2High), x);
  r = V::fma(k, V::broadcast(-kLn2Low), r);
  // exp(r) = 1 + (r + r² · q(r)), q of least greatest relative error in exp(r): 2^-28.2.
  V q = V::broadcast(0x1.6ac74cp-10F);
  q = V::fma(q, r, V::broadcast(0x1.123dep-7F));
  q = V::fma(q, r, V::broadcast(0x1.555858p-5F));
  q = V::fma(q, r, V::broadcast(0x1.55548cp-3F));
  q = V::fma(q, r, V::broadcast(0x1.fffffcp-2F));
  const V exp_r = V::fma(q, r * r, r) + V::broadcast(1.0F);
  return V::scale_by_power_of_two(exp_r, shifted);
}

template <typename V>
float dot_f32(const float* a, const float* b, std::size_t n) {
  V sum = V::zero();
  for_each_block(n, [&](std::size_t i, auto lanes) {
    sum = V::fma(V::load(a + i, lanes), V::load(b + i, lanes), sum);
  });
  return sum.total();
}

template <typename V>
void add_f32(const float* x, float* y, std::size_t n) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    (V::load(y + i, lanes) + V::load(x + i, lanes)).store(y + i, lanes);
  });
}

template <typename V>
void f32_to_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for_each_block(
      n, [&](std::size_t i, auto lanes) { V::load(x + i, lanes).store_half(y + i, lanes); });
}

template <typename V>
void f16_to_f32(const std::uint16_t* x, float* y, std::size_t n) {
  for_each_block(
      n, [&](std::size_t i, auto lanes) { V::load_half(x + i, lanes).store(y + i, lanes); });
}

template <typename V>
void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* out) {
  const float mean = dot_f32<V>(x, x, n) / static_cast<float>(n);
  const V factor = V::broadcast(1.0F / __builtin_sqrtf(mean + eps));
  for_each_block(n, [&](std::size_t i, auto lanes) {
    (V::load(x + i, lanes) * factor * V::load(weight + i, lanes)).store(out + i, lanes);
  });
}

template <typename V>
void rope_neox(float* x, const float* cos, const float* sin, std::size_t half) {
  for_each_block(half, [&](std::size_t i, auto lanes) {
    const V first = V::load(x + i, lanes);
    const V second = V::load(x + half + i, lanes);
    const V cos_i = V::load(cos + i, lanes);
    const V sin_i = V::load(sin + i, lanes);
    V::fma(first, cos_i, -(second * sin_i)).store(x + i, lanes);
    V::fma(second, cos_i, first * sin_i).store(x + half + i, lanes);
  });
}

template <typename V>
void silu_mul(const float* gate, const float* up, std::size_t n, float* out) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V g = V::load(gate + i, lanes);
    const V silu = g / (V::broadcast(1.0F) + exp_lanes(-g));
    (silu * V::load(up + i, lanes)).store(out + i, lanes);
  });
}

template <typename V>
void relu2_mul(const float* gate, const float* up, std::size_t n, float* out) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V g = V::max(V::load(gate + i, lanes), V::zero());
    (g * g * V::load(up + i, lanes)).store(out + i, lanes);
  });
}

template <typename V>
float max_f32(const float* x, std::size_t n) {
  const V lowest = V::broadcast(-__builtin_inff());
  V largest = lowest;
  for_each_block(n, [&](std::size_t i, auto lanes) {
    largest = V::max(largest, V::select(lanes, V::load(x + i, lanes), lowest));
  });
  return largest.maximum();
}

template <typename V>
float exponentials(float* x, std::size_t n) {
  const V max = V::broadcast(max_f32<V>(x, n));
  V sum = V::zero();
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V e = exp_lanes(V::load(x + i, lanes) - max);
    e.store(x + i, lanes);
    sum = sum + V::select(lanes, e, V::zero());
  });
  return sum.total();
}

template <typename V>
double sum_exp(const float* x, std::size_t n, float offset) {
  const V shift = V::broadcast(offset);
  typename V::DoubleSum sum;
  for_each_block(n, [&](std::size_t i, auto lanes) {
    sum.add(V::select(lanes, exp_lanes(V::load(x + i, lanes) - shift), V::zero()));
  });
  return sum.total();
}

}  // namespace
}  // namespace bankai::kernels
