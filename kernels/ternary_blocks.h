// The block layouts of ternary and two-bit weights in files: the one place that knows which bits of
// a block are weight j and where its scale is.
//
// A weight is (code − 1) · scale with a code of 0 to 3, so −1, 0, +1 or +2 times the scale. Ternary
// models leave code 3 unused, and TQ1_0 cannot express it; where it occurs it counts.
//   Q2_0, PQ2_0  scale; weight j in byte j / 4, bits 2 (j mod 4) and the one above
//   TQ2_0        runs of 32 bytes for 128 weights: byte m holds weights m, m + 32, m + 64, m + 96
//                from the lowest bits up; scale
//   TQ1_0        base-3 digits: 32 bytes of 5, 16 bytes of 5, 4 bytes of 4; digit n of byte m of a
//                part of B bytes is weight n · B + m of that part; scale
//   I2_S         as TQ2_0, from the highest bits down; no scale in the block: one float32 behind
//   the last
// Scales are IEEE half precision. The layouts are those of ggml and, for I2_S, of BitNet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/tensor_type.h"

namespace bankai::kernels {

inline constexpr std::size_t kMaxTernaryBlock = 256;  // weights

// Are the type's weights codes as above?
bool is_ternary(TensorType type);

// The codes of one block, as many as the type has weights in a block. REQUIRES: is_ternary(type).
void decode_ternary_block(TensorType type, const std::uint8_t* block, std::uint8_t* codes);

// The scale of one block, a half; 1 for I2_S. REQUIRES: is_ternary(type).
std::uint16_t ternary_block_scale(TensorType type, const std::uint8_t* block);

}  // namespace bankai::kernels
