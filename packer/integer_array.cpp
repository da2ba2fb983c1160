#include "packer/integer_array.h"

#include <cstdint>
#include <cstring>

namespace bankai::packer {
namespace {

template <typename T, typename Change>
void change_all(std::span<const std::byte> in, std::span<std::byte> out, Change change) {
  for (std::size_t i = 0; i + sizeof(T) <= in.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, in.data() + i, sizeof value);
    value = change(value);
    std::memcpy(out.data() + i, &value, sizeof value);
  }
}

// All in unsigned arithmetic, which wraps around as the definition needs at the smallest integer.
template <typename T>
T fold(T value) {
  const T is_negative = value >> (8 * sizeof(T) - 1);
  return static_cast<T>(value << 1U) ^ static_cast<T>(T{0} - is_negative);
}

template <typename T>
T unfold(T value) {
  return static_cast<T>(value >> 1U) ^ static_cast<T>(T{0} - (value & 1U));
}

}  // namespace

void fold_signs(std::span<const std::byte> integers, std::size_t width, std::span<std::byte> out) {
  if (width == 4)
    change_all<std::uint32_t>(integers, out, fold<std::uint32_t>);
  else
    change_all<std::uint64_t>(integers, out, fold<std::uint64_t>);
}

void unfold_signs(std::span<const std::byte> folded, std::size_t width, std::span<std::byte> out) {
  if (width == 4)
    change_all<std::uint32_t>(folded, out, unfold<std::uint32_t>);
  else
    change_all<std::uint64_t>(folded, out, unfold<std::uint64_t>);
}

}  // namespace bankai::packer
