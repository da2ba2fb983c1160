// Quantisation of activations (KernelTable::quantize_a8, quantize_a16) for any vector type V of 16
// float lanes; see elementwise_body.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGroupCols = 128;

// What one group of 128 values is divided by, and what multiplies them before rounding. For a
// group that has no digits (not finite, or next to zero) `factor` is 0.
struct GroupScale {
  float scale;
  float factor;
};

// largest_digit: the integer that the largest magnitude of the group maps to.
template <typename V>
GroupScale group_scale(const float* x, float largest_digit) {
  V largest = V::zero();
  for (std::size_t i = 0; i < kGroupCols; i += kLanes)
    largest = V::max_magnitude(largest, V::load(x + i, AllLanes{}));
  const float magnitude = largest.largest_magnitude();
  if (!(magnitude < __builtin_inff())) return {__builtin_nanf(""), 0.0F};
  if (magnitude < 0x1p-100F) return {0.0F, 0.0F};
  return {magnitude / largest_digit, largest_digit / magnitude};
}

template <typename V>
void quantize_a8(const float* x, std::size_t cols, std::int8_t* high, float* scales) {
  for (std::size_t first = 0; first < cols; first += kGroupCols) {
    const GroupScale group = group_scale<V>(x + first, 127.0F);
    scales[first / kGroupCols] = group.scale;
    for (std::size_t i = first; i < first + kGroupCols; i += kLanes) {
      V digits = V::zero();
      if (group.factor != 0.0F)
        digits = V::round_even(V::load(x + i, AllLanes{}) * V::broadcast(group.factor));
      digits.store_int8(high + i);
    }
  }
}

template <typename V>
void quantize_a16(const float* x, std::size_t cols, std::int8_t* high, std::int8_t* low,
                  float* scales) {
  for (std::size_t first = 0; first < cols; first += kGroupCols) {
    const GroupScale group = group_scale<V>(x + first, 32512.0F);
    scales[first / kGroupCols] = group.scale;
    for (std::size_t i = first; i < first + kGroupCols; i += kLanes) {
      V value = V::zero();
      if (group.factor != 0.0F)
        value = V::round_even(V::load(x + i, AllLanes{}) * V::broadcast(group.factor));
      const V digit = V::round_even(value / V::broadcast(255.0F));
      digit.store_int8(high + i);
      V::fma(digit, V::broadcast(-255.0F), value).store_int8(low + i);  // exact
    }
  }
}

}  // namespace
}  // namespace bankai::kernels
