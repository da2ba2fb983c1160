// Integers of 4 or 8 bytes as numbers without sign, so that those near zero have high bytes of
// zero, whatever their sign: i >= 0 becomes 2 i, i < 0 becomes -2 i - 1.
#pragma once

#include <cstddef>
#include <span>

namespace bankai::packer {

// Little-endian, in place or not. REQUIRES: equal sizes, whole integers of `width` bytes, 4 or 8.
void fold_signs(std::span<const std::byte> integers, std::size_t width, std::span<std::byte> out);
void unfold_signs(std::span<const std::byte> folded, std::size_t width, std::span<std::byte> out);

}  // namespace bankai::packer
