// The metadata of a GGUF file: typed values under unique keys.
// A value is a view into the mapped file (numbers, strings and arrays are decoded when asked for),
// so that the memory of a reader stays small whatever the file declares.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::model {

enum class GgufType : std::uint32_t {  // the values are the format's
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

struct GgufTypeInfo {
  const char* name;
  std::size_t bytes;  // of one encoded value; 0 for strings and arrays
};

// Indexed by the type's number.
inline constexpr std::array<GgufTypeInfo, 13> kGgufTypes = {{{"u8", 1},
                                                             {"i8", 1},
                                                             {"u16", 2},
                                                             {"i16", 2},
                                                             {"u32", 4},
                                                             {"i32", 4},
                                                             {"f32", 4},
                                                             {"bool", 1},
                                                             {"string", 0},
                                                             {"array", 0},
                                                             {"u64", 8},
                                                             {"i64", 8},
                                                             {"f64", 8}}};

constexpr const GgufTypeInfo& gguf_type_info(GgufType type) {
  return kGgufTypes[static_cast<std::size_t>(type)];
}

struct GgufValue {
  std::string_view key;
  GgufType type = GgufType::kU8;          // kArray for arrays
  GgufType element_type = GgufType::kU8;  // of an array
  std::uint64_t count = 1;                // elements of an array
  std::uint64_t offset = 0;               // of `bytes` in the file
  // The encoded value; for arrays the encoded elements. Already validated.
  std::span<const std::byte> bytes;

  // Errors (kBadInput, naming key, offset, found and expected type): wrong type or out of range.
  Result<std::uint64_t> as_unsigned() const;  // any integer type with a non-negative value
  Result<double> as_float() const;            // any number type
  Result<bool> as_bool() const;
  Result<std::string_view> as_string() const;
  Result<std::vector<std::string_view>> as_strings() const;
  Result<std::vector<std::int64_t>> as_integers() const;  // array of any integer type
  Result<std::vector<double>> as_floats() const;          // array of any number type
};

}  // namespace bankai::model
