// One block of weights as codes and a scale: the arithmetic behind block_encoder.h.
#pragma once

#include <cstdint>
#include <span>

namespace bankai::packer {

inline constexpr std::size_t kQ8Weights = 32;

// The nearest half; magnitudes beyond the largest half become that.
std::uint16_t saturated_half(float value);

// The nearest bfloat16, ties to even. REQUIRES: value is finite.
std::uint16_t float_to_bf16(float value);

// Codes of `bits` bits and the half that they are multiplied with, for 32 weights.
// REQUIRES: 2 <= bits <= 8; the weights are finite.
std::uint16_t encode_q8_codes(std::span<const float, kQ8Weights> weights, unsigned bits,
                              std::int8_t* codes);

// round_half_even(weight / scale) + 1, limited to 0 … 2; 1 everywhere if the scale is 0.
void encode_trits(std::span<const float> weights, float scale, std::uint8_t* codes);

// Bit j of byte j / 8 = (weights[j] >= 0). REQUIRES: weights.size() is a multiple of 8.
void encode_signs(std::span<const float> weights, std::uint8_t* bytes);

}  // namespace bankai::packer
