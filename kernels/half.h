// IEEE half precision and bfloat16 in plain integer code, for the scalar kernels and for widening
// single values. f16_to_float and bf16_to_float are exact; float_to_f16 rounds to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace bankai::kernels {

inline float f16_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  std::uint32_t magnitude_bits;
  if (exponent == 0) {  // zero or subnormal: mantissa · 2^-24
    magnitude_bits = std::bit_cast<std::uint32_t>(static_cast<float>(mantissa) * 0x1p-24F);
  } else if (exponent == 0x1F) {  // infinity, or NaN made quiet as the hardware does
    magnitude_bits = 0x7F800000U | (mantissa << 13U) | (mantissa != 0 ? 0x400000U : 0U);
  } else {
    magnitude_bits = ((exponent + 112U) << 23U) | (mantissa << 13U);
  }
  return std::bit_cast<float>(sign | magnitude_bits);
}

inline std::uint16_t float_to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half;
  if (magnitude > 0x7F800000U) {  // NaN, made quiet
    half = 0x7E00U | ((magnitude >> 13U) & 0x3FFU);
  } else if (magnitude >= 0x477FF000U) {  // 65520 and more round to infinity
    half = 0x7C00U;
  } else if (magnitude <
             0x38800000U) {  // below 2^-14: a multiple of 2^-24, rounded by the addition
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    half = static_cast<std::uint32_t>((scaled + 0x1p23F) - 0x1p23F);
  } else {
    const std::uint32_t round_to_even = 0xFFFU + ((magnitude >> 13U) & 1U);
    half = ((magnitude + round_to_even) >> 13U) - (112U << 10U);
  }
  return static_cast<std::uint16_t>(sign | half);
}

inline float bf16_to_float(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U);
}

}  // namespace bankai::kernels
