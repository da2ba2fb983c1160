// Sixteen rows of a weight matrix side by side: what the AVX-512 products share. The operations of
// Rows8Avx2 (rows_avx2.h), twice as wide.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct Rows16Avx512 {
  using Ints = __m512i;
  using Floats = __m512;
  using Weights = __m512i;  // pairs of 16 bits
  using Pair = __m512i;
  static constexpr std::size_t kRows = 16;
  static constexpr std::size_t kTokensAtOnce = 4;

  static void load_scales(const std::uint8_t* line, __m512* to) {
    const __m512i halves = _mm512_load_si512(line);
    to[0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves));
    to[1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(halves, 16)));
  }

  static void load_pairs(const std::uint8_t* line, __m512i* even, __m512i* odd) {
    const __m512i bytes = _mm512_load_si512(line);
    *even = _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8);
    *odd = _mm512_srai_epi16(bytes, 8);
  }
  static __m512i broadcast_pair(const std::int16_t* from) {
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  static __m512i add_pairs(__m512i sum, __m512i weights, __m512i pair) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(weights, pair));
  }

  static __m512i zero() { return _mm512_setzero_si512(); }
  static __m512 zero_floats() { return _mm512_setzero_ps(); }
  static __m512 add_scaled(__m512i dot, __m512 weight_scale, float scale, __m512 sum) {
    const __m512 product = _mm512_mul_ps(weight_scale, _mm512_set1_ps(scale));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), product, sum);
  }
  static __m512 load(const float* from, std::size_t count) {
    return _mm512_maskz_loadu_ps(mask(count), from);
  }
  static void store(float* to, std::size_t count, __m512 value) {
    _mm512_mask_storeu_ps(to, mask(count), value);
  }

 private:
  static __mmask16 mask(std::size_t count) {
    return static_cast<__mmask16>(count >= kRows ? 0xFFFFU : (1U << count) - 1U);
  }
};

}  // namespace
}  // namespace bankai::kernels
