#include "packer/block_codes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/half.h"

namespace bankai::packer {
namespace {

constexpr float kLargestHalf = 65504.0F;

// Rounds to the nearest integer, ties to even. REQUIRES: |value| < 2^22.
float round_even(float value) { return (value + 0x1.8p23F) - 0x1.8p23F; }

// The codes for a given scale, and the squared error that they leave.
struct Quantiser {
  std::span<const float, kQ8Weights> weights;
  float lowest;
  float highest;

  double encode(float scale, float* codes) const {
    float error = 0.0F;
    const float inverse = scale == 0.0F ? 0.0F : 1.0F / scale;
    for (std::size_t i = 0; i < kQ8Weights; ++i) {
      codes[i] = round_even(std::clamp(weights[i] * inverse, lowest, highest));
      const float difference = weights[i] - codes[i] * scale;
      error += difference * difference;
    }
    return static_cast<double>(error);
  }
};

float half_scale(float value) { return kernels::f16_to_float(saturated_half(value)); }

// The scale of least error among those that put the weight of the largest magnitude near the end of
// the codes' range, a little inside or outside of it. Whole numbers are among them, so that codes
// times a scale are found again.
float best_scale(const Quantiser& quantiser, float extreme) {
  const float end = -quantiser.lowest;
  float best = half_scale(-extreme / end);
  float codes[kQ8Weights];
  double least = quantiser.encode(best, codes);
  const float reach = std::min(end - 0.5F, 2.0F);
  for (float distance = -reach; distance <= reach; distance += 0.5F) {
    for (const float sign : {1.0F, -1.0F}) {
      const float scale = half_scale(extreme / (sign * (end + distance)));
      const double error = quantiser.encode(scale, codes);
      if (error >= least) continue;
      least = error;
      best = scale;
    }
  }
  return best;
}

}  // namespace

std::uint16_t saturated_half(float value) {
  return kernels::float_to_f16(std::clamp(value, -kLargestHalf, kLargestHalf));
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

std::uint16_t encode_q8_codes(std::span<const float, kQ8Weights> weights, unsigned bits,
                              std::int8_t* codes) {
  const float extreme = *std::max_element(
      weights.begin(), weights.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  const auto end = static_cast<float>(1U << (bits - 1));
  const Quantiser quantiser{weights, bits == 8 ? 1.0F - end : -end, end - 1.0F};
  // Where 256 codes leave so little error, the scale of stock tools is taken.
  const float scale =
      bits == 8 ? half_scale(std::fabs(extreme) / 127.0F) : best_scale(quantiser, extreme);
  float rounded[kQ8Weights];
  quantiser.encode(scale, rounded);
  for (std::size_t i = 0; i < kQ8Weights; ++i) codes[i] = static_cast<std::int8_t>(rounded[i]);
  return kernels::float_to_f16(scale);
}

void encode_trits(std::span<const float> weights, float scale, std::uint8_t* codes) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    // Half a scale is a tie, which goes to 0.
    const float magnitude = std::fabs(weights[i]);
    const bool is_zero = magnitude <= 0.5F * scale || scale == 0.0F;
    codes[i] = is_zero ? 1 : static_cast<std::uint8_t>(weights[i] > 0.0F ? 2 : 0);
  }
}

void encode_signs(std::span<const float> weights, std::uint8_t* bytes) {
  for (std::size_t byte = 0; byte < weights.size() / 8; ++byte) {
    unsigned bits = 0;
    for (unsigned bit = 0; bit < 8; ++bit)
      bits |= static_cast<unsigned>(weights[8 * byte + bit] >= 0.0F) << bit;
    bytes[byte] = static_cast<std::uint8_t>(bits);
  }
}

}  // namespace bankai::packer
