// The ternary and two-bit tensor types: which layout of core/trit_blocks.h each has.
//
// A weight is (code − 1) · scale with a code of 0 to 3, so −1, 0, +1 or +2 times the scale. Ternary
// models leave code 3 unused, and TQ1_0 cannot express it; where it occurs it counts.
//   Q2_0, PQ2_0  scale; codes in order
//   TQ2_0        runs of 32 bytes from the lowest bits up; scale
//   TQ1_0        base-3 digits; scale
//   I2_S         runs of 32 bytes from the highest bits down; no scale in the block: one float32
//                behind the last
// Scales are IEEE half precision. The layouts are those of ggml and, for I2_S, of BitNet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/trit_blocks.h"
#include "kernels/tensor_type.h"

namespace bankai::kernels {

inline constexpr std::size_t kMaxTernaryBlock = kMaxTritBlock;  // weights

// nullptr for a type whose weights are no codes as above.
const TritLayout* find_trit_layout(TensorType type);
inline bool is_ternary(TensorType type) { return find_trit_layout(type) != nullptr; }

// The codes of one block, as many as the type has weights in a block. REQUIRES: is_ternary(type).
void decode_ternary_block(TensorType type, const std::uint8_t* block, std::uint8_t* codes);

// The scale of one block, a half; 1 for I2_S. REQUIRES: is_ternary(type).
std::uint16_t ternary_block_scale(TensorType type, const std::uint8_t* block);

// The reverse of both: writes the type's block_bytes. The scale is left out for I2_S. REQUIRES:
// is_ternary(type); codes are at most 3, for TQ1_0 at most 2.
void encode_ternary_block(TensorType type, const std::uint8_t* codes, std::uint16_t scale,
                          std::uint8_t* block);

}  // namespace bankai::kernels
