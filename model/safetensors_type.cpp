#include "model/safetensors_type.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/check.h"
#include "kernels/half.h"

namespace bankai::model {
namespace {

template <typename T, typename Convert>
void widen_each(const std::byte* bytes, std::size_t count, float* out, Convert convert) {
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
}

}  // namespace

float f8_e4m3_to_float(std::uint8_t code) {
  const int exponent = code >> 3U & 0xF;
  const int fraction = code & 7;
  float magnitude = std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  if (exponent == 0) magnitude = std::ldexp(static_cast<float>(fraction), -9);
  if (exponent == 15 && fraction == 7) magnitude = std::numeric_limits<float>::quiet_NaN();
  return (code & 0x80U) != 0 ? -magnitude : magnitude;
}

void widen_elements(SafetensorsType type, const std::byte* bytes, std::size_t count, float* out) {
  switch (type) {
    case SafetensorsType::kF32:
      if (count != 0) std::memcpy(out, bytes, count * sizeof(float));
      return;
    case SafetensorsType::kF16:
      widen_each<std::uint16_t>(bytes, count, out, kernels::f16_to_float);
      return;
    case SafetensorsType::kBF16:
      widen_each<std::uint16_t>(bytes, count, out, kernels::bf16_to_float);
      return;
    case SafetensorsType::kF8E4M3:
      widen_each<std::uint8_t>(bytes, count, out, f8_e4m3_to_float);
      return;
    case SafetensorsType::kI8:
      widen_each<std::int8_t>(bytes, count, out,
                              [](std::int8_t v) { return static_cast<float>(v); });
      return;
    case SafetensorsType::kU8:
      widen_each<std::uint8_t>(bytes, count, out,
                               [](std::uint8_t v) { return static_cast<float>(v); });
      return;
    case SafetensorsType::kU32: break;
  }
  BANKAI_CHECK(false, "words are not numbers");
}

}  // namespace bankai::model
