// Byte look-ups for 16 rows at once with NEON: what gemm_lookup_body.h needs. A register of bytes
// serves the rows of two quarters of a line.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/rows_neon.h"

namespace bankai::kernels {
namespace {

struct LookupNeon {
  using Rows = Rows4Neon;
  using Bytes = uint8x16_t;  // a byte per row, in the order of load_nibbles
  using Words = uint16x8_t;
  static constexpr std::size_t kRows = 16;
  // Units of one bit plane whose sums find a register: four for each.
  static constexpr std::size_t kRegisterUnits = 4;

  static void load_nibbles(const std::uint8_t* line, Bytes* nibbles) {
    const uint8x16x2_t columns = vld2q_u8(line);
    for (std::size_t i = 0; i < 2; ++i) {
      nibbles[2 * i] = vandq_u8(columns.val[i], vdupq_n_u8(15));
      nibbles[2 * i + 1] = vshrq_n_u8(columns.val[i], 4);
    }
  }

  static Bytes load_table(const std::uint8_t* table) { return vld1q_u8(table); }
  static Bytes lookup(Bytes table, Bytes nibble) { return vqtbl1q_u8(table, nibble); }
  static Bytes add(Bytes a, Bytes b) {
    Bytes sum = vaddq_u8(a, b);
    asm("" : "+w"(sum));  // as in LookupAvx2
    return sum;
  }

  static Words broadcast_word(std::int16_t x) { return vreinterpretq_u16_s16(vdupq_n_s16(x)); }
  // sums[0] and sums[1] += kLow · low + kHigh · high
  template <int kLow, int kHigh>
  static void add_digits(Bytes low, Bytes high, Words* sums) {
    sums[0] = vmlal_u8(sums[0], vget_low_u8(low), vdup_n_u8(kLow));
    sums[0] = vmlal_u8(sums[0], vget_low_u8(high), vdup_n_u8(kHigh));
    sums[1] = vmlal_high_u8(sums[1], low, vdupq_n_u8(kLow));
    sums[1] = vmlal_high_u8(sums[1], high, vdupq_n_u8(kHigh));
  }
  // The rows in even lanes (of the panel's rows 0 to 15) and in odd ones.
  static int32x4_t even_rows(Words plane) {
    return vshrq_n_s32(vshlq_n_s32(vreinterpretq_s32_u16(plane), 16), 16);
  }
  static int32x4_t odd_rows(Words plane) { return vshrq_n_s32(vreinterpretq_s32_u16(plane), 16); }
  // 255 · high + low of the same rows.
  static int32x4_t even_rows(Words high, Words low) {
    return vmlaq_n_s32(even_rows(low), even_rows(high), 255);
  }
  static int32x4_t odd_rows(Words high, Words low) {
    return vmlaq_n_s32(odd_rows(low), odd_rows(high), 255);
  }

  // to[16 · d + e] = digit d (of 5 bits) of 512 + Σ values[j] over the bits j set in e.
  static void build_tables(const std::int8_t* values, std::uint8_t* to) {
    const int16x8_t bit_0 = {0, 1, 0, 1, 0, 1, 0, 1};
    const int16x8_t bit_1 = {0, 0, 1, 1, 0, 0, 1, 1};
    const int16x8_t bit_2 = {0, 0, 0, 0, 1, 1, 1, 1};
    int16x8_t sum = vmlaq_n_s16(vdupq_n_s16(512), bit_0, values[0]);
    sum = vmlaq_n_s16(sum, bit_1, values[1]);
    sum = vmlaq_n_s16(sum, bit_2, values[2]);
    const uint16x8_t first = vreinterpretq_u16_s16(sum);
    const uint16x8_t second = vreinterpretq_u16_s16(vaddq_s16(sum, vdupq_n_s16(values[3])));
    const uint8x16_t low = vcombine_u8(vmovn_u16(first), vmovn_u16(second));
    vst1q_u8(to, vandq_u8(low, vdupq_n_u8(31)));
    vst1q_u8(to + 16, vcombine_u8(vshrn_n_u16(first, 5), vshrn_n_u16(second, 5)));
  }
};

}  // namespace
}  // namespace bankai::kernels
