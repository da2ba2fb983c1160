// A cursor over bytes from outside: little-endian, every read checked against the end.
// Owns nothing. Errors are kBadInput, name the offset and what was being read; the caller adds the
// file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "core/format.h"
#include "core/result.h"

namespace bankai {

static_assert(std::endian::native == std::endian::little,
              "bankai reads and writes little-endian files in place");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }

  // A fixed-size number; `what` names it in the error ("tensor count").
  template <typename T>
  Result<T> read(const char* what) {
    static_assert(std::is_arithmetic_v<T>);
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> raw, read_bytes(sizeof(T), what));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  // A view of the next `count` bytes.
  Result<std::span<const std::byte>> read_bytes(std::uint64_t count, const char* what) {
    if (count > remaining())
      return make_error(ErrorCode::kBadInput,
                        "%s at offset %zu needs %llu bytes, but only %zu are left", what, offset_,
                        static_cast<unsigned long long>(count), remaining());
    const auto view = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return view;
  }

  // An unsigned LEB128 number of at most 64 bits, in its shortest form.
  Result<std::uint64_t> read_varint(const char* what);

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

}  // namespace bankai
