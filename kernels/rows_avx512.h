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
  static constexpr std::size_t kRows = 16;

  // 16 bytes of the rows first, first + 4, first + 8, first + 12 in the four 128-bit lanes.
  static __m512i load_every_fourth(const std::uint8_t* base, const std::size_t* row_offset,
                                   std::size_t first) {
    const auto load = [&](std::size_t row) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(base + row_offset[row]));
    };
    __m512i rows = _mm512_castsi128_si512(load(first));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x00F0, load(first + 4));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x0F00, load(first + 8));
    return _mm512_mask_broadcast_i32x4(rows, 0xF000, load(first + 12));
  }
  // 4 × 4 transposition of the 32-bit words in each 128-bit lane: to[i] has word i of from[0 … 3].
  static void transpose_words(const __m512i* from, __m512i* to) {
    const __m512i low01 = _mm512_unpacklo_epi32(from[0], from[1]);
    const __m512i high01 = _mm512_unpackhi_epi32(from[0], from[1]);
    const __m512i low23 = _mm512_unpacklo_epi32(from[2], from[3]);
    const __m512i high23 = _mm512_unpackhi_epi32(from[2], from[3]);
    to[0] = _mm512_unpacklo_epi64(low01, low23);
    to[1] = _mm512_unpackhi_epi64(low01, low23);
    to[2] = _mm512_unpacklo_epi64(high01, high23);
    to[3] = _mm512_unpackhi_epi64(high01, high23);
  }
  static void load_words(const std::uint8_t* base, const std::size_t* row_offset, __m512i* to) {
    __m512i from[4];
    for (std::size_t i = 0; i < 4; ++i) from[i] = load_every_fourth(base, row_offset, i);
    transpose_words(from, to);
  }
  static __m512 load_scales(const std::uint8_t* base, const std::size_t* row_offset) {
    std::uint16_t half[kRows];
    for (std::size_t row = 0; row < kRows; ++row)
      __builtin_memcpy(&half[row], base + row_offset[row], sizeof half[row]);
    return _mm512_cvtph_ps(_mm256_loadu_epi16(half));
  }

  static __m512i zero() { return _mm512_setzero_si512(); }
  static __m512i broadcast_word(const void* from) {
    std::int32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return _mm512_set1_epi32(word);
  }
  static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
  static __m512i multiply_pairs(__m512i a, __m512i b) { return _mm512_madd_epi16(a, b); }
  static __m512i even_bytes(__m512i a) { return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8); }
  static __m512i odd_bytes(__m512i a) { return _mm512_srai_epi16(a, 8); }

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
