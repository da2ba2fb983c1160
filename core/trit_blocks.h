// The block layouts of ternary and two-bit weights: the one place that knows which bits of a block
// are weight j and where its scale is.
//
// A weight is (code − 1) · scale with a code of 0 to 3, so −1, 0, +1 or +2 times the scale. Ternary
// models leave code 3 unused, and base 3 cannot express it; where it occurs it counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai {

inline constexpr std::size_t kMaxTritBlock = 256;  // weights

enum class TritPacking : std::uint8_t {
  // Weight j in byte j / 4, bits 2 (j mod 4) and the one above.
  kInOrder,
  // Runs of 32 bytes for 128 weights: byte m holds weights m, m + 32, m + 64, m + 96, from the
  // lowest bits up; the same from the highest bits down.
  kRunsFromLowest,
  kRunsFromHighest,
  // Base-3 digits of 256 weights: 32 bytes of 5, 16 bytes of 5, 4 bytes of 4; digit n of byte m of
  // a part of B bytes is weight n · B + m of that part. A byte b stands for the fraction b / 256,
  // whose digits come out one by one; of the bytes with the same digits writers take the smallest.
  kBase3,
};

struct TritLayout {
  static constexpr std::size_t kNoScale = ~std::size_t{0};

  TritPacking packing = TritPacking::kInOrder;
  std::size_t block_cols = 0;  // weights; a multiple of what the packing takes at once
  std::size_t block_bytes = 0;
  std::size_t codes_offset = 0;         // of the packed codes in the block
  std::size_t scale_offset = kNoScale;  // of the scale, IEEE half precision

  constexpr bool has_scale() const { return scale_offset != kNoScale; }
  bool operator==(const TritLayout&) const = default;
};

// The codes of one block, layout.block_cols of them.
void decode_trits(const TritLayout& layout, const std::byte* block, std::uint8_t* codes);

// Writes them; the scale stays. REQUIRES: codes below 4, for base 3 below 3.
void encode_trits(const TritLayout& layout, const std::uint8_t* codes, std::byte* block);

}  // namespace bankai
