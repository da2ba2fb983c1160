// Sixteen float lanes in four NEON registers (AArch64); the operations of vec16_scalar.h, bit for
// bit. Register i has the lanes 4 i … 4 i + 3.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kv_codes.h"
#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

struct Vec16Neon {
  float32x4_t v[4];

  class DoubleSum;
  static constexpr std::size_t kAccumulators = 4;  // see attention_body.h

  static Vec16Neon broadcast(float x) {
    const float32x4_t all = vdupq_n_f32(x);
    return {{all, all, all, all}};
  }
  static Vec16Neon zero() { return broadcast(0.0F); }

  static Vec16Neon load(const float* from, AllLanes) {
    return {{vld1q_f32(from), vld1q_f32(from + 4), vld1q_f32(from + 8), vld1q_f32(from + 12)}};
  }
  static Vec16Neon load(const float* from, FirstLanes lanes) {
    float values[kLanes] = {};
    __builtin_memcpy(values, from, lanes.count * sizeof(float));
    return load(values, AllLanes{});
  }
  static Vec16Neon load_half(const std::uint16_t* from, AllLanes) {
    Vec16Neon x;
    for (std::size_t i = 0; i < 4; ++i)
      x.v[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from + 4 * i)));
    return x;
  }
  static Vec16Neon load_half(const std::uint16_t* from, FirstLanes lanes) {
    std::uint16_t half[kLanes] = {};
    __builtin_memcpy(half, from, lanes.count * sizeof(std::uint16_t));
    return load_half(half, AllLanes{});
  }
  template <std::size_t kBits>
  static Vec16Neon load_codes(const std::uint8_t* from) {
    Vec16Neon x;
    if constexpr (kBits == 8) {
      const uint8x16_t bytes = vld1q_u8(from);
      const uint16x8_t words[2] = {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
      for (std::size_t i = 0; i < 2; ++i) {
        x.v[2 * i] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(words[i])));
        x.v[2 * i + 1] = vcvtq_f32_u32(vmovl_high_u16(words[i]));
      }
    } else {
      std::uint64_t all = 0;
      __builtin_memcpy(&all, from, 2 * kBits);
      if constexpr (kBits < 4) all |= all << 32U;  // in every lane of 32 bits
      const uint32x4_t codes = vreinterpretq_u32_u64(vdupq_n_u64(all));
      const uint32x4_t mask = vdupq_n_u32((1U << kBits) - 1U);
      for (std::size_t i = 0; i < 4; ++i) {
        std::int32_t shifts[4];  // to the right, by negative numbers
        for (std::size_t j = 0; j < 4; ++j)
          shifts[j] = -static_cast<std::int32_t>(code_bit(kBits, 4 * i + j) % 32);
        x.v[i] = vcvtq_f32_u32(vandq_u32(vshlq_u32(codes, vld1q_s32(shifts)), mask));
      }
    }
    return x;
  }
  void store(float* to, AllLanes) const {
    for (std::size_t i = 0; i < 4; ++i) vst1q_f32(to + 4 * i, v[i]);
  }
  void store(float* to, FirstLanes lanes) const {
    float values[kLanes];
    store(values, AllLanes{});
    __builtin_memcpy(to, values, lanes.count * sizeof(float));
  }
  void store_half(std::uint16_t* to, AllLanes) const {
    for (std::size_t i = 0; i < 4; ++i)
      vst1_u16(to + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v[i])));
  }
  void store_half(std::uint16_t* to, FirstLanes lanes) const {
    std::uint16_t half[kLanes];
    store_half(half, AllLanes{});
    __builtin_memcpy(to, half, lanes.count * sizeof(std::uint16_t));
  }
  void store_int8(std::int8_t* to) const {
    int16x4_t words[4];
    for (std::size_t i = 0; i < 4; ++i) words[i] = vmovn_s32(vcvtnq_s32_f32(v[i]));
    vst1_s8(to, vmovn_s16(vcombine_s16(words[0], words[1])));
    vst1_s8(to + 8, vmovn_s16(vcombine_s16(words[2], words[3])));
  }
  void add_fixed(std::int64_t* to, AllLanes) const {
    for (std::size_t i = 0; i < 4; ++i) {
      add_integers(to + 4 * i, vcvt_f64_f32(vget_low_f32(v[i])));
      add_integers(to + 4 * i + 2, vcvt_high_f64_f32(v[i]));
    }
  }
  void add_fixed(std::int64_t* to, FirstLanes lanes) const {
    std::int64_t sums[kLanes] = {};
    __builtin_memcpy(sums, to, lanes.count * sizeof(std::int64_t));
    add_fixed(sums, AllLanes{});
    __builtin_memcpy(to, sums, lanes.count * sizeof(std::int64_t));
  }

  friend Vec16Neon operator+(Vec16Neon a, Vec16Neon b) { return each(vaddq_f32, a, b); }
  friend Vec16Neon operator-(Vec16Neon a, Vec16Neon b) { return each(vsubq_f32, a, b); }
  friend Vec16Neon operator*(Vec16Neon a, Vec16Neon b) { return each(vmulq_f32, a, b); }
  friend Vec16Neon operator/(Vec16Neon a, Vec16Neon b) { return each(vdivq_f32, a, b); }
  friend Vec16Neon operator-(Vec16Neon a) { return each(vnegq_f32, a); }
  static Vec16Neon fma(Vec16Neon a, Vec16Neon b, Vec16Neon c) { return each(vfmaq_f32, c, a, b); }
  static Vec16Neon round_even(Vec16Neon a) { return each(vrndnq_f32, a); }
  static Vec16Neon max(Vec16Neon a, Vec16Neon b) { return each(max_of, a, b); }
  // By comparisons: vmaxq_f32 orders the two zeros, which the specification does not.
  static Vec16Neon clamp(Vec16Neon a, float lowest, float highest) {
    const float32x4_t bottom = vdupq_n_f32(lowest);
    const float32x4_t top = vdupq_n_f32(highest);
    for (float32x4_t& x : a.v) {
      x = vbslq_f32(vcgtq_f32(bottom, x), bottom, x);
      x = vbslq_f32(vcltq_f32(top, x), top, x);
    }
    return a;
  }
  // The comparison is false for NaN.
  static Vec16Neon at_least(Vec16Neon a, float lowest) {
    const float32x4_t bottom = vdupq_n_f32(lowest);
    for (float32x4_t& x : a.v) x = vbslq_f32(vcgtq_f32(x, bottom), x, bottom);
    return a;
  }
  static Vec16Neon max_magnitude(Vec16Neon a, Vec16Neon b) {
    return each(larger_bits, a, each(vabsq_f32, b));
  }
  static Vec16Neon scale_by_power_of_two(Vec16Neon a, Vec16Neon shifted) {
    return each(scaled, a, shifted);
  }
  static Vec16Neon select(AllLanes, Vec16Neon a, Vec16Neon) { return a; }
  static Vec16Neon select(FirstLanes lanes, Vec16Neon a, Vec16Neon b) {
    const uint32x4_t lane = {0, 1, 2, 3};
    for (std::uint32_t i = 0; i < 4; ++i) {
      const uint32x4_t left = vdupq_n_u32(static_cast<std::uint32_t>(lanes.count));
      a.v[i] = vbslq_f32(vcltq_u32(vaddq_u32(lane, vdupq_n_u32(4 * i)), left), a.v[i], b.v[i]);
    }
    return a;
  }

  float total() const { return folded(vaddq_f32); }
  float maximum() const { return folded(max_of); }
  float largest_magnitude() const { return folded(larger_bits); }

 private:
  // The operation on each register.
  template <typename Operation, typename... Operands>
  static Vec16Neon each(Operation operation, const Operands&... operands) {
    return {{operation(operands.v[0]...), operation(operands.v[1]...), operation(operands.v[2]...),
             operation(operands.v[3]...)}};
  }
  // a where it is the larger or NaN, else b.
  static float32x4_t max_of(float32x4_t a, float32x4_t b) {
    const uint32x4_t a_is_number = vceqq_f32(a, a);
    return vbslq_f32(vornq_u32(vcgtq_f32(a, b), a_is_number), a, b);
  }
  static void add_integers(std::int64_t* to, float64x2_t x) {
    vst1q_s64(to, vaddq_s64(vld1q_s64(to), vcvtnq_s64_f64(vmulq_n_f64(x, 0x1p40))));
  }
  static float32x4_t larger_bits(float32x4_t a, float32x4_t b) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
  }
  static float32x4_t power_of_two(int32x4_t k) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(k, vdupq_n_s32(127)), 23));
  }
  static float32x4_t scaled(float32x4_t a, float32x4_t shifted) {
    const int32x4_t k = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(0x4B400000));
    const int32x4_t k1 = vshrq_n_s32(k, 1);
    return vmulq_f32(vmulq_f32(a, power_of_two(k1)), power_of_two(vsubq_s32(k, k1)));
  }
  // Combines lane j with lane j + 8, then + 4, + 2, + 1; what ends up in lane 0.
  template <typename Combine>
  float folded(Combine combine) const {
    float32x4_t a = combine(combine(v[0], v[2]), combine(v[1], v[3]));
    a = combine(a, vextq_f32(a, a, 2));
    a = combine(a, vextq_f32(a, a, 1));
    return vgetq_lane_f32(a, 0);
  }
};

// Sixteen double lanes that add up float lanes.
class Vec16Neon::DoubleSum {
 public:
  void add(Vec16Neon x) {
    for (std::size_t i = 0; i < 4; ++i) {
      lane_[2 * i] = vaddq_f64(lane_[2 * i], vcvt_f64_f32(vget_low_f32(x.v[i])));
      lane_[2 * i + 1] = vaddq_f64(lane_[2 * i + 1], vcvt_high_f64_f32(x.v[i]));
    }
  }
  double total() const {
    float64x2_t sum[4];
    for (std::size_t i = 0; i < 4; ++i) sum[i] = vaddq_f64(lane_[i], lane_[4 + i]);
    sum[0] = vaddq_f64(sum[0], sum[2]);
    sum[1] = vaddq_f64(sum[1], sum[3]);
    const float64x2_t last = vaddq_f64(sum[0], sum[1]);
    return vgetq_lane_f64(last, 0) + vgetq_lane_f64(last, 1);
  }

 private:
  float64x2_t lane_[8] = {vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0),
                          vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0)};
};

}  // namespace
}  // namespace bankai::kernels
