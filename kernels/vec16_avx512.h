// Sixteen float lanes in one AVX-512 register; the operations of vec16_scalar.h, bit for bit.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

inline __mmask16 lane_mask(AllLanes) { return 0xFFFF; }
inline __mmask16 lane_mask(FirstLanes lanes) {
  return static_cast<__mmask16>((1U << lanes.count) - 1U);
}

struct Vec16Avx512 {
  __m512 v;

  class DoubleSum;
  static constexpr std::size_t kAccumulators = 24;  // see attention_body.h

  static Vec16Avx512 broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vec16Avx512 zero() { return {_mm512_setzero_ps()}; }

  static Vec16Avx512 load(const float* from, AllLanes) { return {_mm512_loadu_ps(from)}; }
  static Vec16Avx512 load(const float* from, FirstLanes lanes) {
    return {_mm512_maskz_loadu_ps(lane_mask(lanes), from)};
  }
  static Vec16Avx512 load_half(const std::uint16_t* from, AllLanes) {
    return {_mm512_cvtph_ps(_mm256_loadu_epi16(from))};
  }
  static Vec16Avx512 load_half(const std::uint16_t* from, FirstLanes lanes) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lane_mask(lanes), from))};
  }
  template <std::size_t kBits>
  static Vec16Avx512 load_codes(const std::uint8_t* from) {
    if constexpr (kBits == 8) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
    } else if constexpr (kBits == 4) {
      std::uint64_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      const __m512i shifts =
          _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
      const __m512i shifted =
          _mm512_srlv_epi32(_mm512_set1_epi64(static_cast<long long>(codes)), shifts);
      const __m512 floats = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      return {_mm512_permutexvar_ps(shifted, floats)};  // by the lowest four bits
    } else if constexpr (kBits == 2) {
      std::uint32_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      const __m512i shifts =
          _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      const __m512i shifted = _mm512_srlv_epi32(_mm512_set1_epi32(static_cast<int>(codes)), shifts);
      const __m512 floats = _mm512_setr4_ps(0, 1, 2, 3);
      return {_mm512_permutevar_ps(floats, shifted)};  // by the lowest two bits
    } else {
      std::uint16_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      return {_mm512_maskz_mov_ps(static_cast<__mmask16>(codes), _mm512_set1_ps(1.0F))};
    }
  }
  void store(float* to, AllLanes) const { _mm512_storeu_ps(to, v); }
  void store(float* to, FirstLanes lanes) const { _mm512_mask_storeu_ps(to, lane_mask(lanes), v); }
  template <typename Lanes>
  void store_half(std::uint16_t* to, Lanes lanes) const {
    _mm256_mask_storeu_epi16(to, lane_mask(lanes), _mm512_cvtps_ph(v, kNearestEven));
  }
  void store_int8(std::int8_t* to) const {
    _mm_storeu_epi8(to, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  template <typename Lanes>
  void add_fixed(std::int64_t* to, Lanes lanes) const {
    const __m512 scaled = _mm512_mul_ps(v, _mm512_set1_ps(0x1p40F));
    const unsigned mask = lane_mask(lanes);
    add_integers(to, static_cast<__mmask8>(mask), _mm512_castps512_ps256(scaled));
    add_integers(to + 8, static_cast<__mmask8>(mask >> 8U), _mm512_extractf32x8_ps(scaled, 1));
  }

  friend Vec16Avx512 operator+(Vec16Avx512 a, Vec16Avx512 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Vec16Avx512 operator-(Vec16Avx512 a, Vec16Avx512 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Vec16Avx512 operator*(Vec16Avx512 a, Vec16Avx512 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Vec16Avx512 operator/(Vec16Avx512 a, Vec16Avx512 b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend Vec16Avx512 operator-(Vec16Avx512 a) {
    return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0F))};
  }
  static Vec16Avx512 fma(Vec16Avx512 a, Vec16Avx512 b, Vec16Avx512 c) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
  }
  static Vec16Avx512 round_even(Vec16Avx512 a) { return {_mm512_roundscale_ps(a.v, kNearestEven)}; }
  // The instruction gives b where either is NaN.
  static Vec16Avx512 max(Vec16Avx512 a, Vec16Avx512 b) {
    const __mmask16 a_is_nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
    return {_mm512_mask_mov_ps(_mm512_max_ps(a.v, b.v), a_is_nan, a.v)};
  }
  static Vec16Avx512 clamp(Vec16Avx512 a, float lowest, float highest) {
    const __m512 raised = _mm512_max_ps(_mm512_set1_ps(lowest), a.v);
    return {_mm512_min_ps(_mm512_set1_ps(highest), raised)};
  }
  // The instruction gives its second operand where either is NaN.
  static Vec16Avx512 at_least(Vec16Avx512 a, float lowest) {
    return {_mm512_max_ps(a.v, _mm512_set1_ps(lowest))};
  }
  static Vec16Avx512 max_magnitude(Vec16Avx512 a, Vec16Avx512 b) {
    return larger_bits(a, {_mm512_abs_ps(b.v)});
  }
  // One correctly rounded instruction: the same as two exact powers of two and one rounding.
  static Vec16Avx512 scale_by_power_of_two(Vec16Avx512 a, Vec16Avx512 shifted) {
    return {_mm512_scalef_ps(a.v, _mm512_sub_ps(shifted.v, _mm512_set1_ps(0x1.8p23F)))};
  }
  static Vec16Avx512 select(AllLanes, Vec16Avx512 a, Vec16Avx512) { return a; }
  static Vec16Avx512 select(FirstLanes lanes, Vec16Avx512 a, Vec16Avx512 b) {
    return {_mm512_mask_mov_ps(b.v, lane_mask(lanes), a.v)};
  }

  float total() const {
    return folded([](Vec16Avx512 a, Vec16Avx512 b) { return a + b; });
  }
  float maximum() const { return folded(max); }
  float largest_magnitude() const { return folded(larger_bits); }

 private:
  static constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

  static void add_integers(std::int64_t* to, __mmask8 mask, __m256 x) {
    const __m512i sums = _mm512_maskz_loadu_epi64(mask, to);
    _mm512_mask_storeu_epi64(to, mask, _mm512_add_epi64(sums, _mm512_cvtps_epi64(x)));
  }
  static Vec16Avx512 larger_bits(Vec16Avx512 a, Vec16Avx512 b) {
    return {
        _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v)))};
  }
  // Combines lane j with lane j + 8, then + 4, + 2, + 1; what ends up in lane 0.
  template <typename Combine>
  float folded(Combine combine) const {
    Vec16Avx512 a = *this;
    a = combine(a, {_mm512_shuffle_f32x4(a.v, a.v, 0x4E)});
    a = combine(a, {_mm512_shuffle_f32x4(a.v, a.v, 0xB1)});
    a = combine(a, {_mm512_permute_ps(a.v, 0x4E)});
    a = combine(a, {_mm512_permute_ps(a.v, 0xB1)});
    return _mm512_cvtss_f32(a.v);
  }
};

// Sixteen double lanes that add up float lanes.
class Vec16Avx512::DoubleSum {
 public:
  void add(Vec16Avx512 x) {
    low_ = _mm512_add_pd(low_, _mm512_cvtps_pd(_mm512_castps512_ps256(x.v)));
    high_ = _mm512_add_pd(high_, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1)));
  }
  double total() const {
    __m512d a = _mm512_add_pd(low_, high_);
    a = _mm512_add_pd(a, _mm512_shuffle_f64x2(a, a, 0x4E));
    a = _mm512_add_pd(a, _mm512_shuffle_f64x2(a, a, 0xB1));
    a = _mm512_add_pd(a, _mm512_permute_pd(a, 0x55));
    return _mm512_cvtsd_f64(a);
  }

 private:
  __m512d low_ = _mm512_setzero_pd();   // lanes 0 to 7
  __m512d high_ = _mm512_setzero_pd();  // lanes 8 to 15
};

}  // namespace
}  // namespace bankai::kernels
