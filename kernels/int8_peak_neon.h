// KernelTable::int8_peak for NEON: nothing but multiply-adds of eight bytes on registers.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

inline std::uint64_t int8_peak_neon(std::size_t rounds) {
  // Sums that do not wait for each other: two instructions a cycle of four cycles each need eight.
  constexpr std::size_t kSums = 12;
  int16x8_t sums[kSums];
  for (int16x8_t& sum : sums) sum = vdupq_n_s16(0);
  int8x8_t weights = vdup_n_s8(2);
  const int8x8_t values = vdup_n_s8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (int16x8_t& sum : sums) {
      // No instruction; the compiler must take `weights` for changed, and cannot reuse a product.
      asm volatile("" : "+w"(weights));
      sum = vmlal_s8(sum, weights, values);
    }
  }
  for (int16x8_t& sum : sums) asm volatile("" : : "w"(sum));
  return std::uint64_t{rounds} * kSums * sizeof(int8x8_t);
}

}  // namespace
}  // namespace bankai::kernels
