// The element types of safetensors files that this program can read, as one list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bankai::model {

enum class SafetensorsType : std::uint8_t { kF32, kF16, kBF16, kI8, kU8, kU32, kF8E4M3 };

struct SafetensorsTypeInfo {
  SafetensorsType type;
  std::string_view name;
  std::size_t bytes;
  bool is_float;  // what widen_elements takes besides the one-byte integers
};

inline constexpr std::array<SafetensorsTypeInfo, 7> kSafetensorsTypes = {{
    {SafetensorsType::kF32, "F32", 4, true},
    {SafetensorsType::kF16, "F16", 2, true},
    {SafetensorsType::kBF16, "BF16", 2, true},
    {SafetensorsType::kI8, "I8", 1, false},
    {SafetensorsType::kU8, "U8", 1, false},
    {SafetensorsType::kU32, "U32", 4, false},
    {SafetensorsType::kF8E4M3, "F8_E4M3", 1, true},
}};

constexpr const SafetensorsTypeInfo& safetensors_type_info(SafetensorsType type) {
  return kSafetensorsTypes[static_cast<std::size_t>(type)];
}
// nullptr for a name that is not in the list.
constexpr const SafetensorsTypeInfo* find_safetensors_type(std::string_view name) {
  for (const SafetensorsTypeInfo& info : kSafetensorsTypes)
    if (info.name == name) return &info;
  return nullptr;
}

// The value of an 8-bit float with 4 bits of exponent (bias 7) and 3 of fraction. It has no
// infinities; 0x7f and 0xff are NaN (OCP 8-bit floating point, E4M3).
float f8_e4m3_to_float(std::uint8_t code);

// Elements as floats, exactly. REQUIRES: `bytes` holds `count` elements at any address; the type is
// a float, I8 or U8.
void widen_elements(SafetensorsType type, const std::byte* bytes, std::size_t count, float* out);

}  // namespace bankai::model
