// Appends little-endian values to a growing byte buffer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bankai {

class ByteWriter {
 public:
  template <typename T>
  void write(T value) {
    static_assert(std::is_arithmetic_v<T>);
    write_bytes(std::as_bytes(std::span<const T>(&value, 1)));
  }
  void write_bytes(std::span<const std::byte> bytes) {
    const std::size_t end = bytes_.size();
    bytes_.resize(end + bytes.size());
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  void write_text(std::string_view text) {
    write_bytes(std::as_bytes(std::span<const char>(text.data(), text.size())));
  }
  void write_zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
  // Unsigned LEB128, shortest form.
  void write_varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) write(static_cast<std::uint8_t>(value | 0x80U));
    write(static_cast<std::uint8_t>(value));
  }

  std::size_t size() const { return bytes_.size(); }
  const std::vector<std::byte>& bytes() const& { return bytes_; }
  std::vector<std::byte> bytes() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace bankai
