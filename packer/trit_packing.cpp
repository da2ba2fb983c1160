#include "packer/trit_packing.h"

#include <algorithm>
#include <cstring>

#include "core/format.h"
#include "packer/unused_bits.h"

namespace bankai::packer {
namespace {

unsigned digit(std::byte trit) { return (std::to_integer<unsigned>(trit) + 1U) & 0xffU; }
std::byte trit_of(unsigned digit) { return static_cast<std::byte>((digit + 0xffU) & 0xffU); }

Error bad_code(const char* layout, std::size_t offset, unsigned code) {
  return make_error(ErrorCode::kBadInput, "byte 0x%02x at offset %zu is no %s of trits", code,
                    offset, layout);
}

}  // namespace

const std::array<std::array<std::uint8_t, 8>, kBase3Codes>& trits_of_base3() {
  static const auto table = [] {
    std::array<std::array<std::uint8_t, 8>, kBase3Codes> trits{};
    for (unsigned code = 0; code < kBase3Codes; ++code)
      for (unsigned i = 0, rest = code; i < kTritsPerByte; ++i, rest /= 3)
        trits[code][i] = std::to_integer<std::uint8_t>(trit_of(rest % 3));
    return trits;
  }();
  return table;
}

std::uint8_t base3_of_trits(const std::byte* trits, std::size_t count) {
  unsigned code = 0;
  for (std::size_t i = count; i-- > 0;) code = 3 * code + digit(trits[i]);
  return static_cast<std::uint8_t>(code);
}

void pack_two_bit(std::size_t count, const std::byte* trits, std::byte* packed) {
  for (; count >= 4; count -= 4, trits += 4)
    *packed++ = static_cast<std::byte>(digit(trits[0]) | digit(trits[1]) << 2U |
                                       digit(trits[2]) << 4U | digit(trits[3]) << 6U);
  unsigned last = 0;
  for (std::size_t i = 0; i < count; ++i) last |= digit(trits[i]) << (2 * i);
  if (count != 0) *packed = static_cast<std::byte>(last);
}

Status unpack_two_bit(std::size_t count, const std::byte* packed, std::byte* trits) {
  for (std::size_t i = 0; i < count; i += 4, ++packed) {
    const auto code = std::to_integer<unsigned>(*packed);
    const std::size_t here = std::min<std::size_t>(4, count - i);
    if ((code & code >> 1U & 0x55U) != 0 || (here < 4 && code >> (2 * here) != 0))
      return bad_code("two-bit code", i / 4, code);
    for (std::size_t k = 0; k < here; ++k) trits[i + k] = trit_of(code >> (2 * k) & 3U);
  }
  return {};
}

void pack_base3(std::size_t count, const std::byte* trits, std::byte* packed) {
  for (; count >= kTritsPerByte; count -= kTritsPerByte, trits += kTritsPerByte)
    *packed++ = static_cast<std::byte>(base3_of_trits(trits, kTritsPerByte));
  if (count != 0) *packed = static_cast<std::byte>(base3_of_trits(trits, count));
}

Status unpack_base3(std::size_t count, const std::byte* packed, std::byte* trits) {
  const std::size_t num_codes = (count + kTritsPerByte - 1) / kTritsPerByte;
  const std::span codes(reinterpret_cast<const std::uint8_t*>(packed), num_codes);
  for (std::size_t i = 0; i < num_codes; ++i)
    if (codes[i] >= kBase3Codes) return bad_code("base-3 number", i, codes[i]);
  expand_base3(codes, count, trits);
  if (const std::size_t tail = count % kTritsPerByte;
      tail != 0 && base3_of_trits(trits + count - tail, tail) != codes.back())
    return bad_code("filled-up base-3 number", num_codes - 1, codes.back());
  return {};
}

void pack_bit_planes(std::size_t count, const std::byte* trits, std::byte* packed) {
  std::byte* nonzero = packed;
  std::byte* plus = packed + bit_planes_bytes(count) / 2;
  std::fill_n(packed, bit_planes_bytes(count), std::byte{0});
  for (std::size_t i = 0; i < count; ++i) {
    nonzero[i / 8] |= (trits[i] == std::byte{0} ? std::byte{0} : std::byte{1}) << (i % 8);
    plus[i / 8] |= (trits[i] == std::byte{1} ? std::byte{1} : std::byte{0}) << (i % 8);
  }
}

Status unpack_bit_planes(std::size_t count, const std::byte* packed, std::byte* trits) {
  const std::byte* nonzero = packed;
  const std::byte* plus = packed + bit_planes_bytes(count) / 2;
  for (std::size_t i = 0; i < bit_planes_bytes(count) / 2; ++i)
    if ((plus[i] & ~nonzero[i]) != std::byte{0})
      return make_error(ErrorCode::kBadInput, "a trit near element %zu is both 0 and +1", 8 * i);
  if (has_unused_ones(nonzero, count))
    return make_error(ErrorCode::kBadInput, "an unused bit of a plane of trits is 1");
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned is_nonzero = std::to_integer<unsigned>(nonzero[i / 8]) >> (i % 8) & 1U;
    const unsigned is_plus = std::to_integer<unsigned>(plus[i / 8]) >> (i % 8) & 1U;
    trits[i] = trit_of(1 - is_nonzero + 2 * is_plus);
  }
  return {};
}

void expand_base3(std::span<const std::uint8_t> codes, std::size_t count, std::byte* trits) {
  const auto& table = trits_of_base3();
  std::size_t i = 0;
  // Eight bytes at a time, of which the next store overwrites three.
  for (; i * kTritsPerByte + 8 <= count; ++i)
    std::memcpy(trits + i * kTritsPerByte, table[codes[i]].data(), 8);
  for (; i < codes.size(); ++i)
    std::memcpy(trits + i * kTritsPerByte, table[codes[i]].data(),
                std::min<std::size_t>(kTritsPerByte, count - i * kTritsPerByte));
}

}  // namespace bankai::packer
