// A GGUF file put together in memory, field by field, for tests: it writes what it is told, right
// or wrong. It shares no code with the program's own writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_writer.h"

namespace bankai::testing {

// Value types of the format, as plain numbers so that wrong ones can be written too.
inline constexpr std::uint32_t kGgufU8 = 0, kGgufI8 = 1, kGgufU16 = 2, kGgufI16 = 3, kGgufU32 = 4,
                               kGgufI32 = 5, kGgufF32 = 6, kGgufBool = 7, kGgufString = 8,
                               kGgufArray = 9, kGgufU64 = 10, kGgufI64 = 11, kGgufF64 = 12;

// The encoding of a string: u64 length, bytes.
std::vector<std::byte> gguf_string(std::string_view text);

template <typename T>
std::vector<std::byte> gguf_bytes(T value) {
  ByteWriter writer;
  writer.write(value);
  return std::move(writer).bytes();
}

struct RawTensor {
  std::string name;
  std::vector<std::uint64_t> dims;
  std::uint32_t type = 0;
  std::vector<std::byte> data;

  // What the entry says where that differs from the truth.
  std::optional<std::uint64_t> declared_name_bytes = {};
  std::optional<std::uint32_t> declared_num_dims = {};
  std::optional<std::uint64_t> declared_offset = {};
};

class GgufImage {
 public:
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;  // of the layout; set_alignment also declares it
  std::optional<std::uint64_t> declared_num_tensors = {};
  std::optional<std::uint64_t> declared_num_values = {};
  std::vector<RawTensor> tensors;
  bool pads_last_tensor = true;

  // One key; `payload` is everything after the type.
  GgufImage& value(std::string_view key, std::uint32_t type, std::span<const std::byte> payload);
  // The same with `count` elements declared, whatever `elements` holds.
  GgufImage& array(std::string_view key, std::uint32_t element_type, std::uint64_t count,
                   std::span<const std::byte> elements);
  GgufImage& string(std::string_view key, std::string_view text);
  GgufImage& strings(std::string_view key, const std::vector<std::string>& texts);
  template <typename T>
  GgufImage& number(std::string_view key, std::uint32_t type, T number) {
    return value(key, type, gguf_bytes(number));
  }
  GgufImage& u32(std::string_view key, std::uint32_t number) {
    return this->number(key, kGgufU32, number);
  }
  // Bytes in place of a key and its value; counts as one.
  GgufImage& raw_value(std::span<const std::byte> bytes);
  GgufImage& set_alignment(std::uint32_t bytes);
  GgufImage& tensor(RawTensor tensor);
  // A tensor whose data are the bytes 1, 2, 3, …
  GgufImage& tensor(std::string name, std::vector<std::uint64_t> dims, std::uint32_t type,
                    std::size_t num_bytes);

  // The file. Offsets follow the true sizes unless declared otherwise.
  std::vector<std::byte> build() const;

 private:
  ByteWriter values_;
  std::uint64_t num_values_ = 0;
};

// A small model-like file that every reader must accept: values of all types, tensors of all
// readable types.
GgufImage small_gguf();

}  // namespace bankai::testing
