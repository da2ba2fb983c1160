// Bits fill bytes from the least significant bit on; those that no element takes are 0 everywhere.
#pragma once

#include <cstddef>

namespace bankai::packer {

// Is one of the bits behind the first `count` 1, in the byte of the last of them?
inline bool has_unused_ones(const std::byte* bytes, std::size_t count) {
  return count % 8 != 0 && std::to_integer<unsigned>(bytes[count / 8]) >> (count % 8) != 0;
}

}  // namespace bankai::packer
