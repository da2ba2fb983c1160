// Random weights of the types that come in blocks: for models whose answers do not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/counter_rng.h"
#include "kernels/tensor_type.h"

namespace bankai::model {

// How a block of a type is filled.
struct RandomBlock {
  kernels::TensorType type;
  std::size_t code_offset;  // in bytes; the scale is before the codes, or behind them, or absent
  std::size_t code_bytes;
  bool is_two_bit;  // codes of two bits, of which 3 is left out: 1/4, 1/2 and 1/4 are −1, 0 and +1
  double unit_rms;  // root mean square of a weight in units of the scale

  std::uint64_t num_draws() const { return 1 + (code_bytes + 7) / 8; }
};

// nullptr for a type without an entry.
const RandomBlock* find_random_block(kernels::TensorType type);

// One block of weights with mean 0 and root mean square near `rms` (the scale varies by a quarter;
// in I2_S, whose scale is the tensor's, the codes are all there is), from num_draws() numbers of
// the sequence. REQUIRES: `block` has the type's size.
void fill_random_block(const RandomBlock& type, const CounterRng& rng, std::uint64_t first_draw,
                       double rms, std::span<std::byte> block);

}  // namespace bankai::model
