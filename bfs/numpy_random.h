// NumPy's default random generator, as far as the hill-climb baseline needs it to repeat the draws
// of the original search: PCG64 (O'Neill 2014, XSL-RR 128/64) seeded through SeedSequence.
#pragma once

#include <cstdint>

namespace bankai::bfs {

class NumpyRandom {
 public:
  // As numpy.random.default_rng(seed).
  explicit NumpyRandom(std::uint64_t seed);

  std::uint64_t next_bits();
  // As Generator.random(): 53 bits in [0, 1).
  double next_uniform() { return static_cast<double>(next_bits() >> 11U) * 0x1p-53; }

 private:
  __extension__ using Wide = unsigned __int128;
  void step();

  Wide state_ = 0;
  Wide increment_ = 0;
};

}  // namespace bankai::bfs
