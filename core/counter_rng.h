// Counter-based random numbers: a pure function of (seed, stream, index), so that no result depends
// on which thread or rank drew first. Mixing is SplitMix64's finaliser (Steele, Lea, Flood 2014),
// applied to each key word in turn.
#pragma once

#include <cstdint>

namespace bankai {

class CounterRng {
 public:
  explicit CounterRng(std::uint64_t seed, std::uint64_t stream = 0)
      : key_(mix(mix(seed) ^ stream)) {}

  std::uint64_t bits(std::uint64_t index) const { return mix(key_ ^ mix(index)); }
  // In [0, 1), 53 bits.
  double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11U) * 0x1p-53;
  }
  // In [0, bound), by multiply-shift; the bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const {
    return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * bound) >> 64U);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
  }
  std::uint64_t key_;
};

}  // namespace bankai
