// KernelTable::int8_peak for a register type of transposed_body.h: nothing but multiply_add on
// registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

// Sums that do not wait for each other: two instructions a cycle of five cycles each need ten.
constexpr std::size_t kPeakSums = 12;

// Each round is kPeakSums · (bytes of a register) multiply-adds.
template <typename R>
std::uint64_t int8_peak(std::size_t rounds) {
  using Ints = typename R::Ints;
  using Sums = typename R::Sums;
  Sums sums[kPeakSums];
  for (Sums& sum : sums) sum = Sums{};
  Ints weights = R::all_bytes(2);
  const Ints values = R::all_bytes(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (Sums& sum : sums) {
      // No instruction; the compiler must take `weights` for changed, and cannot reuse a product.
      asm volatile("" : "+v"(weights));
      sum = R::multiply_add(sum, weights, values);
    }
  }
  for (Sums& sum : sums) asm volatile("" : : "v"(sum));
  return std::uint64_t{rounds} * kPeakSums * sizeof(Ints);
}

}  // namespace
}  // namespace bankai::kernels
