// Weights that learn from eight rows of signs at a time, for any vector type V of 16-bit lanes:
//   V::kWidth                              lanes; a divisor of kSignStep
//   V::Words, V::Sums                      weights or inputs, and sums of products in 32 bits
//   V::load, V::store, V::broadcast        of 16-bit numbers
//   V::zero_sums()
//   V::multiply_add(sums, words, words)    adds each product to some lane of the sums
//   V::add_product(words, step, signs)     words + step · signs, for signs of −1, 0 and +1
//   V::clamp(words, low, high)
//   V::total(sums, out)                    adds up the lanes of eight sums
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace {

template <typename V>
void dot_signs(const std::int16_t* weights, const std::int16_t* inputs, std::size_t input_stride,
               std::size_t n, std::int32_t* out) {
  typename V::Sums sums[kSignRows];
  for (auto& sum : sums) sum = V::zero_sums();
  for (std::size_t i = 0; i < n; i += V::kWidth) {
    const auto words = V::load(weights + i);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kSignRows; ++t)
      sums[t] = V::multiply_add(sums[t], words, V::load(inputs + t * input_stride + i));
  }
  V::total(sums, out);
}

template <typename V>
void add_signs(const std::int16_t* steps, const std::int16_t* inputs, std::size_t input_stride,
               std::size_t n, std::int16_t limit, std::int16_t* weights) {
  typename V::Words step[kSignRows];
  for (std::size_t t = 0; t < kSignRows; ++t) step[t] = V::broadcast(steps[t]);
  const auto high = V::broadcast(limit);
  const auto low = V::broadcast(static_cast<std::int16_t>(-limit));
  for (std::size_t i = 0; i < n; i += V::kWidth) {
    auto words = V::load(weights + i);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kSignRows; ++t)
      words = V::add_product(words, step[t], V::load(inputs + t * input_stride + i));
    V::store(weights + i, V::clamp(words, low, high));
  }
}

}  // namespace
}  // namespace bankai::kernels
