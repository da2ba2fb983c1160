// CRC-32 (IEEE 802.3, reflected, as in zlib and PNG). It finds every damage within 32 bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bankai::patch {

inline constexpr std::array<std::uint32_t, 256> kCrc32Table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
    table[byte] = value;
  }
  return table;
}();

inline std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t value = 0xffffffffU;
  for (const std::byte byte : bytes)
    value = (value >> 8U) ^ kCrc32Table[(value ^ std::to_integer<std::uint32_t>(byte)) & 0xffU];
  return ~value;
}

}  // namespace bankai::patch
