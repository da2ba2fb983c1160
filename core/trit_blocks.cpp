#include "core/trit_blocks.h"

#include <array>

namespace bankai {
namespace {

constexpr std::size_t kRunCols = 128;
constexpr std::size_t kRunBytes = kRunCols / 4;

// The lowest bit of part 0 … 3 of a run.
unsigned shift_of(TritPacking packing, unsigned part) {
  return packing == TritPacking::kRunsFromLowest ? 2 * part : 6 - 2 * part;
}

// The parts of a block of base-3 digits.
struct Digits {
  std::size_t bytes;
  std::size_t per_byte;
};
constexpr std::array<Digits, 3> kBase3Parts = {{{32, 5}, {16, 5}, {4, 4}}};

void decode_base3(const std::byte* bytes, std::uint8_t* codes) {
  for (const Digits& part : kBase3Parts) {
    for (std::size_t m = 0; m < part.bytes; ++m) {
      unsigned fraction = std::to_integer<unsigned>(bytes[m]);
      for (std::size_t n = 0; n < part.per_byte; ++n) {
        fraction *= 3;
        codes[n * part.bytes + m] = static_cast<std::uint8_t>(fraction >> 8U);
        fraction &= 0xFFU;
      }
    }
    bytes += part.bytes;
    codes += part.bytes * part.per_byte;
  }
}

void encode_base3(const std::uint8_t* codes, std::byte* bytes) {
  constexpr unsigned kDigits = 5;  // of the fraction's denominator, 3^5 = 243
  for (const Digits& part : kBase3Parts) {
    for (std::size_t m = 0; m < part.bytes; ++m) {
      unsigned number = 0;
      for (std::size_t n = 0; n < kDigits; ++n)
        number = 3 * number + (n < part.per_byte ? codes[n * part.bytes + m] : 0U);
      bytes[m] = static_cast<std::byte>((number * 256 + 242) / 243);
    }
    bytes += part.bytes;
    codes += part.bytes * part.per_byte;
  }
}

}  // namespace

void decode_trits(const TritLayout& layout, const std::byte* block, std::uint8_t* codes) {
  const std::byte* bytes = block + layout.codes_offset;
  if (layout.packing == TritPacking::kBase3) return decode_base3(bytes, codes);
  if (layout.packing == TritPacking::kInOrder) {
    for (std::size_t i = 0; i < layout.block_cols; ++i)
      codes[i] = std::to_integer<std::uint8_t>(bytes[i / 4] >> (2 * (i % 4)) & std::byte{3});
    return;
  }
  for (std::size_t col = 0; col < layout.block_cols; col += kRunCols, bytes += kRunBytes)
    for (unsigned part = 0; part < 4; ++part, codes += kRunBytes)
      for (std::size_t m = 0; m < kRunBytes; ++m)
        codes[m] = std::to_integer<std::uint8_t>(bytes[m] >> shift_of(layout.packing, part) &
                                                 std::byte{3});
}

void encode_trits(const TritLayout& layout, const std::uint8_t* codes, std::byte* block) {
  std::byte* bytes = block + layout.codes_offset;
  if (layout.packing == TritPacking::kBase3) return encode_base3(codes, bytes);
  if (layout.packing == TritPacking::kInOrder) {
    for (std::size_t i = 0; i < layout.block_cols; i += 4, ++bytes)
      *bytes = static_cast<std::byte>(codes[i] | codes[i + 1] << 2 | codes[i + 2] << 4 |
                                      codes[i + 3] << 6);
    return;
  }
  for (std::size_t col = 0; col < layout.block_cols; col += kRunCols, bytes += kRunBytes) {
    for (std::size_t m = 0; m < kRunBytes; ++m) {
      unsigned byte = 0;
      for (unsigned part = 0; part < 4; ++part)
        byte |= static_cast<unsigned>(codes[col + part * kRunBytes + m])
                << shift_of(layout.packing, part);
      bytes[m] = static_cast<std::byte>(byte);
    }
  }
}

}  // namespace bankai
