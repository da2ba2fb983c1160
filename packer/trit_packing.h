// Trits in bytes, by fixed layouts (docs/formats/codecs.md). A trit's digit is itself plus 1: 0, 1,
// 2 for −1, 0, +1. Trits outside of the packed form are one byte each: 0xff, 0, 1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/result.h"

namespace bankai::packer {

inline constexpr unsigned kTritsPerByte = 5;
inline constexpr unsigned kBase3Codes = 243;  // 3^5

// Digits of the byte of five trits: digits_of_base3()[code][i] is that of trit i, the least
// significant first; the codes from 243 on have none. Eight bytes each, of which five count.
const std::array<std::array<std::uint8_t, 8>, kBase3Codes>& trits_of_base3();

// The code of `count` <= 5 trits; missing ones have digit 0. REQUIRES: trits of −1, 0, +1.
std::uint8_t base3_of_trits(const std::byte* trits, std::size_t count);

// Four trits in a byte, two bits each from the lowest up; digit 0 fills up. (count + 3) / 4 bytes.
void pack_two_bit(std::size_t count, const std::byte* trits, std::byte* packed);
// kBadInput for a code of 3, or a fill that is not 0.
Status unpack_two_bit(std::size_t count, const std::byte* packed, std::byte* trits);

// Five trits in a byte, the first the least significant; digit 0 fills up. (count + 4) / 5 bytes.
void pack_base3(std::size_t count, const std::byte* trits, std::byte* packed);
// kBadInput for a byte above 242, or a fill that is not 0.
Status unpack_base3(std::size_t count, const std::byte* packed, std::byte* trits);

// Two planes of one bit per trit, each filled up to a byte: which are not 0, which are +1.
constexpr std::size_t bit_planes_bytes(std::size_t count) { return 2 * ((count + 7) / 8); }
void pack_bit_planes(std::size_t count, const std::byte* trits, std::byte* packed);
// kBadInput for a trit that is +1 and 0, or a fill that is not 0.
Status unpack_bit_planes(std::size_t count, const std::byte* packed, std::byte* trits);

// Writes the trits of `codes`, all of which are below 243, five each; the last `count` mod 5.
// Digits beyond `count` are dropped.
void expand_base3(std::span<const std::uint8_t> codes, std::size_t count, std::byte* trits);

}  // namespace bankai::packer
