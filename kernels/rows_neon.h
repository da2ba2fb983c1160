// Four rows of a weight matrix side by side: what the NEON products share. The operations of
// Rows8Avx2 (rows_avx2.h), half as wide.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct Rows4Neon {
  using Ints = int32x4_t;
  using Floats = float32x4_t;
  using Weights = int16x8_t;
  using Pair = int16x4_t;  // in the first two lanes
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kTokensAtOnce =
      2;  // times 8 vectors of int8 sums: 16 of 32 registers

  static void load_scales(const std::uint8_t* line, float32x4_t* to) {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(line);
    for (std::size_t i = 0; i < 4; ++i) {
      const uint16x4x2_t rows = vld2_u16(halves + 8 * i);
      to[i] = vcvt_f32_f16(vreinterpret_f16_u16(rows.val[0]));
      to[4 + i] = vcvt_f32_f16(vreinterpret_f16_u16(rows.val[1]));
    }
  }

  // Of 4 rows × 4 signed bytes: the columns 0 and 2, and 1 and 3; each the four rows of the first
  // column, then of the second.
  static void load_pairs(const std::uint8_t* line, int16x8_t* even, int16x8_t* odd) {
    const uint8x16_t bytes = vld1q_u8(line);
    const uint8x16_t columns_0_2_1_3 = {0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15};
    const int8x16_t columns = vreinterpretq_s8_u8(vqtbl1q_u8(bytes, columns_0_2_1_3));
    *even = vmovl_s8(vget_low_s8(columns));
    *odd = vmovl_high_s8(columns);
  }
  static int16x4_t broadcast_pair(const std::int16_t* from) {
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return vreinterpret_s16_s32(vdup_n_s32(pair));
  }
  static int32x4_t add_pairs(int32x4_t sum, int16x8_t weights, int16x4_t pair) {
    sum = vmlal_lane_s16(sum, vget_low_s16(weights), pair, 0);
    return vmlal_high_lane_s16(sum, weights, pair, 1);
  }

  static int32x4_t zero() { return vdupq_n_s32(0); }
  static float32x4_t zero_floats() { return vdupq_n_f32(0.0F); }
  static float32x4_t add_scaled(int32x4_t dot, float32x4_t weight_scale, float scale,
                                float32x4_t sum) {
    return vfmaq_f32(sum, vcvtq_f32_s32(dot), vmulq_n_f32(weight_scale, scale));
  }
  static float32x4_t load(const float* from, std::size_t count) {
    if (count >= kRows) return vld1q_f32(from);
    float values[kRows] = {};
    __builtin_memcpy(values, from, count * sizeof(float));
    return vld1q_f32(values);
  }
  static void store(float* to, std::size_t count, float32x4_t value) {
    if (count >= kRows) {
      vst1q_f32(to, value);
      return;
    }
    float values[kRows];
    vst1q_f32(values, value);
    __builtin_memcpy(to, values, count * sizeof(float));
  }
};

}  // namespace
}  // namespace bankai::kernels
