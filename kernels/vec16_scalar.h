// Sixteen float lanes as a plain array: what a lane operation means. The other vec16 headers
// offer the same operations with the same results.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/half.h"
#include "kernels/kv_codes.h"
#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t num_lanes(AllLanes) { return kLanes; }
constexpr std::size_t num_lanes(FirstLanes lanes) { return lanes.count; }

struct Vec16Scalar {
  float lane[kLanes];

  class DoubleSum;
  static constexpr std::size_t kAccumulators = 1;  // see attention_body.h

  static Vec16Scalar broadcast(float x) {
    return make([&](std::size_t) { return x; });
  }
  static Vec16Scalar zero() { return broadcast(0.0F); }

  template <typename Lanes>
  static Vec16Scalar load(const float* from, Lanes lanes) {
    Vec16Scalar v = zero();
    std::memcpy(v.lane, from, num_lanes(lanes) * sizeof(float));
    return v;
  }
  template <typename Lanes>
  static Vec16Scalar load_half(const std::uint16_t* from, Lanes lanes) {
    std::uint16_t half[kLanes] = {};
    std::memcpy(half, from, num_lanes(lanes) * sizeof(std::uint16_t));
    return make([&](std::size_t j) { return f16_to_float(half[j]); });
  }
  // Sixteen codes (kv_codes.h) as floats.
  template <std::size_t kBits>
  static Vec16Scalar load_codes(const std::uint8_t* from) {
    return make([&](std::size_t j) { return static_cast<float>(get_code(from, kBits, j)); });
  }
  template <typename Lanes>
  void store(float* to, Lanes lanes) const {
    std::memcpy(to, lane, num_lanes(lanes) * sizeof(float));
  }
  template <typename Lanes>
  void store_half(std::uint16_t* to, Lanes lanes) const {
    std::uint16_t half[kLanes];
    for (std::size_t j = 0; j < kLanes; ++j) half[j] = float_to_f16(lane[j]);
    std::memcpy(to, half, num_lanes(lanes) * sizeof(std::uint16_t));
  }
  // REQUIRES: every lane is an integer in [-128, 127].
  void store_int8(std::int8_t* to) const {
    for (std::size_t j = 0; j < kLanes; ++j) to[j] = static_cast<std::int8_t>(lane[j]);
  }
  // to[j] += the integer nearest to lane j · 2^40, ties to even. REQUIRES: |lane| <= 2^10.
  template <typename Lanes>
  void add_fixed(std::int64_t* to, Lanes lanes) const {
    for (std::size_t j = 0; j < num_lanes(lanes); ++j)
      to[j] += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(lane[j]) * 0x1p40));
  }

  friend Vec16Scalar operator+(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) { return a.lane[j] + b.lane[j]; });
  }
  friend Vec16Scalar operator-(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) { return a.lane[j] - b.lane[j]; });
  }
  friend Vec16Scalar operator*(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) { return a.lane[j] * b.lane[j]; });
  }
  friend Vec16Scalar operator/(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) { return a.lane[j] / b.lane[j]; });
  }
  friend Vec16Scalar operator-(Vec16Scalar a) {
    return make([&](std::size_t j) { return -a.lane[j]; });
  }
  static Vec16Scalar fma(Vec16Scalar a, Vec16Scalar b, Vec16Scalar c) {
    return make([&](std::size_t j) { return std::fma(a.lane[j], b.lane[j], c.lane[j]); });
  }
  static Vec16Scalar round_even(Vec16Scalar a) {
    return make([&](std::size_t j) { return std::nearbyint(a.lane[j]); });
  }
  // a where it is the larger or NaN, else b: NaN in either gives NaN.
  static Vec16Scalar max(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) {
      return a.lane[j] > b.lane[j] || std::isnan(a.lane[j]) ? a.lane[j] : b.lane[j];
    });
  }
  // NaN stays NaN.
  static Vec16Scalar clamp(Vec16Scalar a, float lowest, float highest) {
    return make([&](std::size_t j) {
      const float raised = lowest > a.lane[j] ? lowest : a.lane[j];
      return highest < raised ? highest : raised;
    });
  }
  // NaN counts as `lowest`.
  static Vec16Scalar at_least(Vec16Scalar a, float lowest) {
    return make([&](std::size_t j) { return a.lane[j] > lowest ? a.lane[j] : lowest; });
  }
  // The larger of a and |b| for a >= 0, compared by bits: a NaN counts as larger than infinity.
  static Vec16Scalar max_magnitude(Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) {
      const float magnitude = std::fabs(b.lane[j]);
      return std::bit_cast<std::uint32_t>(magnitude) > std::bit_cast<std::uint32_t>(a.lane[j])
                 ? magnitude
                 : a.lane[j];
    });
  }
  // a · 2^k, where `shifted` is 1.5 · 2^23 + k with -250 <= k <= 250. In two factors, so that a
  // subnormal result is rounded once and a large one becomes infinity. Any result if a is NaN, as
  // long as it is NaN.
  static Vec16Scalar scale_by_power_of_two(Vec16Scalar a, Vec16Scalar shifted) {
    return make([&](std::size_t j) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(shifted.lane[j]) - 0x4B400000U;
      const std::int32_t k = static_cast<std::int32_t>(bits);
      const std::int32_t k1 = k >> 1;
      return a.lane[j] * power_of_two(k1) * power_of_two(k - k1);
    });
  }
  // a in the lanes that exist, b in the others.
  template <typename Lanes>
  static Vec16Scalar select(Lanes lanes, Vec16Scalar a, Vec16Scalar b) {
    return make([&](std::size_t j) { return j < num_lanes(lanes) ? a.lane[j] : b.lane[j]; });
  }

  // The sum of the lanes in the order of kernel_table.h.
  float total() const {
    return pairwise(lane, [](float a, float b) { return a + b; });
  }
  float maximum() const {
    return pairwise(lane, [](float a, float b) { return a > b || std::isnan(a) ? a : b; });
  }
  // The largest lane by bits: for results of max_magnitude.
  float largest_magnitude() const {
    return pairwise(lane, [](float a, float b) {
      return std::bit_cast<std::uint32_t>(a) > std::bit_cast<std::uint32_t>(b) ? a : b;
    });
  }

 private:
  template <typename LaneFunction>
  static Vec16Scalar make(LaneFunction value_of_lane) {
    Vec16Scalar v;
    for (std::size_t j = 0; j < kLanes; ++j) v.lane[j] = value_of_lane(j);
    return v;
  }
  static float power_of_two(std::int32_t k) {
    return std::bit_cast<float>((static_cast<std::uint32_t>(k) + 127U) << 23U);
  }
  template <typename T, typename Combine>
  static T pairwise(const T (&values)[kLanes], Combine combine) {
    T l[kLanes];
    for (std::size_t j = 0; j < kLanes; ++j) l[j] = values[j];
    for (std::size_t width = kLanes / 2; width > 0; width /= 2)
      for (std::size_t j = 0; j < width; ++j) l[j] = combine(l[j], l[j + width]);
    return l[0];
  }
};

// Sixteen double lanes that add up float lanes.
class Vec16Scalar::DoubleSum {
 public:
  void add(Vec16Scalar v) {
    for (std::size_t j = 0; j < kLanes; ++j) lane_[j] += static_cast<double>(v.lane[j]);
  }
  double total() const {
    return pairwise(lane_, [](double a, double b) { return a + b; });
  }

 private:
  double lane_[kLanes] = {};
};

}  // namespace
}  // namespace bankai::kernels
