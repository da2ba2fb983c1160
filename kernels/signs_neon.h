// Signs and weights in NEON registers; see signs_body.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct SignsNeon {
  using Words = int16x8_t;
  using Sums = int32x4_t;
  static constexpr std::size_t kWidth = 8;

  static Words load(const std::int16_t* from) { return vld1q_s16(from); }
  static void store(std::int16_t* to, Words words) { vst1q_s16(to, words); }
  static Words broadcast(std::int16_t value) { return vdupq_n_s16(value); }
  static Sums zero_sums() { return vdupq_n_s32(0); }
  static Sums multiply_add(Sums sums, Words a, Words b) {
    return vmlal_high_s16(vmlal_s16(sums, vget_low_s16(a), vget_low_s16(b)), a, b);
  }
  static Words add_product(Words words, Words step, Words signs) {
    return vmlaq_s16(words, step, signs);
  }
  static Words clamp(Words words, Words low, Words high) {
    return vmaxq_s16(low, vminq_s16(high, words));
  }
  static void total(const Sums* sums, std::int32_t* out) {
    for (int t = 0; t < 8; ++t) out[t] = vaddvq_s32(sums[t]);
  }
};

}  // namespace
}  // namespace bankai::kernels
