// Sixteen float lanes in two AVX registers (AVX2, FMA, F16C); the operations of vec16_scalar.h, bit
// for bit. `low` has lanes 0 to 7, `high` lanes 8 to 15.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

// All bits of lane j are set where j < count - first.
inline __m256i lane_mask_avx2(std::size_t count, int first) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count) - first), lane);
}

struct Vec16Avx2 {
  __m256 low;
  __m256 high;

  class DoubleSum;
  static constexpr std::size_t kAccumulators = 6;  // see attention_body.h

  static Vec16Avx2 broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static Vec16Avx2 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }

  static Vec16Avx2 load(const float* from, AllLanes) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
  }
  static Vec16Avx2 load(const float* from, FirstLanes lanes) {
    return {_mm256_maskload_ps(from, lane_mask_avx2(lanes.count, 0)),
            _mm256_maskload_ps(from + 8, lane_mask_avx2(lanes.count, 8))};
  }
  static Vec16Avx2 load_half(const std::uint16_t* from, AllLanes) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
  }
  static Vec16Avx2 load_half(const std::uint16_t* from, FirstLanes lanes) {
    std::uint16_t half[kLanes] = {};
    __builtin_memcpy(half, from, lanes.count * sizeof(std::uint16_t));
    return load_half(half, AllLanes{});
  }
  template <std::size_t kBits>
  static Vec16Avx2 load_codes(const std::uint8_t* from) {
    if constexpr (kBits == 8) {
      return {floats_of_bytes(from), floats_of_bytes(from + 8)};
    } else if constexpr (kBits == 4) {
      std::uint64_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      const __m256i all = _mm256_set1_epi64x(static_cast<long long>(codes));
      const __m256i shifts = _mm256_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12);
      const __m256i high_shifts = _mm256_add_epi32(shifts, _mm256_set1_epi32(16));
      const __m256i mask = _mm256_set1_epi32(15);
      return {_mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srlv_epi32(all, shifts), mask)),
              _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srlv_epi32(all, high_shifts), mask))};
    } else if constexpr (kBits == 2) {
      std::uint32_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      const __m256i all = _mm256_set1_epi32(static_cast<int>(codes));
      const __m256i shifts = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
      const __m256i high_shifts = _mm256_add_epi32(shifts, _mm256_set1_epi32(16));
      const __m256 floats = _mm256_setr_ps(0, 1, 2, 3, 0, 1, 2, 3);  // by the lowest two bits
      return {_mm256_permutevar_ps(floats, _mm256_srlv_epi32(all, shifts)),
              _mm256_permutevar_ps(floats, _mm256_srlv_epi32(all, high_shifts))};
    } else {
      std::uint16_t codes;
      __builtin_memcpy(&codes, from, sizeof codes);
      const __m256i all = _mm256_set1_epi32(codes);
      const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
      return {one_where_set(all, bits), one_where_set(all, _mm256_slli_epi32(bits, 8))};
    }
  }
  void store(float* to, AllLanes) const {
    _mm256_storeu_ps(to, low);
    _mm256_storeu_ps(to + 8, high);
  }
  void store(float* to, FirstLanes lanes) const {
    _mm256_maskstore_ps(to, lane_mask_avx2(lanes.count, 0), low);
    _mm256_maskstore_ps(to + 8, lane_mask_avx2(lanes.count, 8), high);
  }
  void store_half(std::uint16_t* to, AllLanes) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(low, kNearestEven));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8), _mm256_cvtps_ph(high, kNearestEven));
  }
  void store_half(std::uint16_t* to, FirstLanes lanes) const {
    std::uint16_t half[kLanes];
    store_half(half, AllLanes{});
    __builtin_memcpy(to, half, lanes.count * sizeof(std::uint16_t));
  }
  void store_int8(std::int8_t* to) const {
    // Packing keeps to 128-bit lanes: afterwards lanes 0-3, 8-11, 4-7, 12-15.
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high));
    const __m256i in_order = _mm256_permute4x64_epi64(words, 0xD8);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to),
        _mm_packs_epi16(_mm256_castsi256_si128(in_order), _mm256_extracti128_si256(in_order, 1)));
  }
  void add_fixed(std::int64_t* to, AllLanes) const {
    add_integers(to, _mm256_castps256_ps128(low));
    add_integers(to + 4, _mm256_extractf128_ps(low, 1));
    add_integers(to + 8, _mm256_castps256_ps128(high));
    add_integers(to + 12, _mm256_extractf128_ps(high, 1));
  }
  void add_fixed(std::int64_t* to, FirstLanes lanes) const {
    std::int64_t sums[kLanes] = {};
    __builtin_memcpy(sums, to, lanes.count * sizeof(std::int64_t));
    add_fixed(sums, AllLanes{});
    __builtin_memcpy(to, sums, lanes.count * sizeof(std::int64_t));
  }

  friend Vec16Avx2 operator+(Vec16Avx2 a, Vec16Avx2 b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  friend Vec16Avx2 operator-(Vec16Avx2 a, Vec16Avx2 b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  friend Vec16Avx2 operator*(Vec16Avx2 a, Vec16Avx2 b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  friend Vec16Avx2 operator/(Vec16Avx2 a, Vec16Avx2 b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }
  friend Vec16Avx2 operator-(Vec16Avx2 a) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_xor_ps(a.low, sign), _mm256_xor_ps(a.high, sign)};
  }
  static Vec16Avx2 fma(Vec16Avx2 a, Vec16Avx2 b, Vec16Avx2 c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static Vec16Avx2 round_even(Vec16Avx2 a) {
    return {_mm256_round_ps(a.low, kNearestEven), _mm256_round_ps(a.high, kNearestEven)};
  }
  static Vec16Avx2 max(Vec16Avx2 a, Vec16Avx2 b) {
    return {max_of(a.low, b.low), max_of(a.high, b.high)};
  }
  static Vec16Avx2 clamp(Vec16Avx2 a, float lowest, float highest) {
    const __m256 bottom = _mm256_set1_ps(lowest);
    const __m256 top = _mm256_set1_ps(highest);
    return {_mm256_min_ps(top, _mm256_max_ps(bottom, a.low)),
            _mm256_min_ps(top, _mm256_max_ps(bottom, a.high))};
  }
  // The instruction gives its second operand where either is NaN.
  static Vec16Avx2 at_least(Vec16Avx2 a, float lowest) {
    const __m256 bottom = _mm256_set1_ps(lowest);
    return {_mm256_max_ps(a.low, bottom), _mm256_max_ps(a.high, bottom)};
  }
  static Vec16Avx2 max_magnitude(Vec16Avx2 a, Vec16Avx2 b) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {larger_bits(a.low, _mm256_andnot_ps(sign, b.low)),
            larger_bits(a.high, _mm256_andnot_ps(sign, b.high))};
  }
  static Vec16Avx2 scale_by_power_of_two(Vec16Avx2 a, Vec16Avx2 shifted) {
    return {scaled(a.low, shifted.low), scaled(a.high, shifted.high)};
  }
  static Vec16Avx2 select(AllLanes, Vec16Avx2 a, Vec16Avx2) { return a; }
  static Vec16Avx2 select(FirstLanes lanes, Vec16Avx2 a, Vec16Avx2 b) {
    const __m256 low_mask = _mm256_castsi256_ps(lane_mask_avx2(lanes.count, 0));
    const __m256 high_mask = _mm256_castsi256_ps(lane_mask_avx2(lanes.count, 8));
    return {_mm256_blendv_ps(b.low, a.low, low_mask), _mm256_blendv_ps(b.high, a.high, high_mask)};
  }

  float total() const {
    return folded([](__m256 a, __m256 b) { return _mm256_add_ps(a, b); });
  }
  float maximum() const { return folded(max_of); }
  float largest_magnitude() const { return folded(larger_bits); }

 private:
  static constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

  // At 1.5 · 2^52 the last bit of a double is worth one.
  static void add_integers(std::int64_t* to, __m128 x) {
    const __m256d shift = _mm256_set1_pd(0x1.8p52);
    const __m256d shifted = _mm256_fmadd_pd(_mm256_cvtps_pd(x), _mm256_set1_pd(0x1p40), shift);
    const __m256i integers =
        _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_castpd_si256(shift));
    __m256i* sums = reinterpret_cast<__m256i*>(to);
    _mm256_storeu_si256(sums, _mm256_add_epi64(_mm256_loadu_si256(sums), integers));
  }
  static __m256 floats_of_bytes(const std::uint8_t* from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  }
  static __m256 one_where_set(__m256i codes, __m256i bits) {
    const __m256i is_set = _mm256_cmpeq_epi32(_mm256_and_si256(codes, bits), bits);
    return _mm256_and_ps(_mm256_castsi256_ps(is_set), _mm256_set1_ps(1.0F));
  }
  // The instruction gives b where either is NaN.
  static __m256 max_of(__m256 a, __m256 b) {
    return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
  }
  static __m256 larger_bits(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  static __m256 power_of_two(__m256i k) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(k, _mm256_set1_epi32(127)), 23));
  }
  static __m256 scaled(__m256 a, __m256 shifted) {
    const __m256i k = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4B400000));
    const __m256i k1 = _mm256_srai_epi32(k, 1);
    const __m256 factor1 = power_of_two(k1);
    const __m256 factor2 = power_of_two(_mm256_sub_epi32(k, k1));
    return _mm256_mul_ps(_mm256_mul_ps(a, factor1), factor2);
  }
  // Combines lane j with lane j + 8, then + 4, + 2, + 1; what ends up in lane 0.
  template <typename Combine>
  float folded(Combine combine) const {
    __m256 a = combine(low, high);
    a = combine(a, _mm256_permute2f128_ps(a, a, 0x01));
    a = combine(a, _mm256_permute_ps(a, 0x4E));
    a = combine(a, _mm256_permute_ps(a, 0xB1));
    return _mm256_cvtss_f32(a);
  }
};

// Sixteen double lanes that add up float lanes.
class Vec16Avx2::DoubleSum {
 public:
  void add(Vec16Avx2 v) {
    add_to(lane_[0], _mm256_castps256_ps128(v.low));
    add_to(lane_[1], _mm256_extractf128_ps(v.low, 1));
    add_to(lane_[2], _mm256_castps256_ps128(v.high));
    add_to(lane_[3], _mm256_extractf128_ps(v.high, 1));
  }
  double total() const {
    __m256d a = _mm256_add_pd(_mm256_add_pd(lane_[0], lane_[2]), _mm256_add_pd(lane_[1], lane_[3]));
    a = _mm256_add_pd(a, _mm256_permute2f128_pd(a, a, 0x01));
    a = _mm256_add_pd(a, _mm256_permute_pd(a, 0x5));
    return _mm256_cvtsd_f64(a);
  }

 private:
  static void add_to(__m256d& sum, __m128 v) { sum = _mm256_add_pd(sum, _mm256_cvtps_pd(v)); }

  __m256d lane_[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                      _mm256_setzero_pd()};
};

}  // namespace
}  // namespace bankai::kernels
