// Where the codes of low-bit keys and values lie: 16 codes of n bits (1, 2, 4 or 8) together take
// 2 n bytes, in the order that the lanes of every instruction set unpack without shuffling.
// Everything is in an unnamed namespace; see lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t code_run_bytes(std::size_t bits) { return 2 * bits; }

// The bit at which the code of a lane begins. In order, except that 4-bit codes of even lanes fill
// the first four bytes and those of odd lanes the last: a register of 32-bit lanes that repeats the
// eight bytes then needs a shift alone.
constexpr std::size_t code_bit(std::size_t bits, std::size_t lane) {
  return bits == 4 ? lane % 2 * 32 + lane / 2 * 4 : lane * bits;
}

constexpr std::uint8_t code_mask(std::size_t bits) {
  return static_cast<std::uint8_t>((1U << bits) - 1U);
}

// The code of a lane in a run of 16.
inline std::uint8_t get_code(const std::uint8_t* run, std::size_t bits, std::size_t lane) {
  const std::size_t bit = code_bit(bits, lane);
  return static_cast<std::uint8_t>((run[bit / 8] >> (bit % 8)) & code_mask(bits));
}

// Replaces it. REQUIRES: code < 2^bits.
inline void set_code(std::uint8_t* run, std::size_t bits, std::size_t lane, std::uint8_t code) {
  const std::size_t bit = code_bit(bits, lane);
  const auto kept = static_cast<unsigned>(run[bit / 8]) & ~(unsigned{code_mask(bits)} << (bit % 8));
  run[bit / 8] = static_cast<std::uint8_t>(kept | (unsigned{code} << (bit % 8)));
}

}  // namespace
}  // namespace bankai::kernels
