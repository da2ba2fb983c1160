// Counting bits in AVX-512 registers (F, BW), by looking up halves of bytes; see xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct XnorAvx512 {
  using Vector = __m512i;
  using Mask = __mmask8;
  static constexpr std::size_t kWords = 8;
  static constexpr std::size_t kTokens = 1;
  static constexpr bool kWideCounts = false;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector broadcast(std::uint64_t word) {
    return _mm512_set1_epi64(static_cast<long long>(word));
  }
  static Mask first_words(std::size_t count) {
    return static_cast<Mask>(count >= kWords ? 0xFFU : (1U << count) - 1U);
  }
  static Vector load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
  static Vector load(const std::uint64_t* from, Mask existing) {
    return _mm512_maskz_loadu_epi64(existing, from);
  }
  static void transposed_load(const std::uint64_t* const* rows, std::size_t word, Mask existing,
                              Vector* to) {
    Vector pairs[2][4];  // words 0, 2, 4, 6, or 1, 3, 5, 7, of two rows
    for (std::size_t i = 0; i < 4; ++i) {
      const Vector first = load(rows[2 * i] + word, existing);
      const Vector second = load(rows[2 * i + 1] + word, existing);
      pairs[0][i] = _mm512_unpacklo_epi64(first, second);
      pairs[1][i] = _mm512_unpackhi_epi64(first, second);
    }
    for (std::size_t odd = 0; odd < 2; ++odd) {  // transposes 4 × 4 lanes of 128 bits
      const Vector* from = pairs[odd];
      const Vector words_0_4[2] = {_mm512_shuffle_i64x2(from[0], from[1], 0x88),
                                   _mm512_shuffle_i64x2(from[2], from[3], 0x88)};
      const Vector words_2_6[2] = {_mm512_shuffle_i64x2(from[0], from[1], 0xDD),
                                   _mm512_shuffle_i64x2(from[2], from[3], 0xDD)};
      to[odd] = _mm512_shuffle_i64x2(words_0_4[0], words_0_4[1], 0x88);
      to[2 + odd] = _mm512_shuffle_i64x2(words_2_6[0], words_2_6[1], 0x88);
      to[4 + odd] = _mm512_shuffle_i64x2(words_0_4[0], words_0_4[1], 0xDD);
      to[6 + odd] = _mm512_shuffle_i64x2(words_2_6[0], words_2_6[1], 0xDD);
    }
  }
  static Vector exclusive_or(Vector a, Vector b) { return _mm512_xor_si512(a, b); }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi64(a, b); }
  static Vector add_count(Vector sum, Vector x) {
    const __m512i counts =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low_half = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(x, low_half);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(x, 4), low_half);
    sum = _mm512_add_epi8(sum, _mm512_shuffle_epi8(counts, low));
    return _mm512_add_epi8(sum, _mm512_shuffle_epi8(counts, high));
  }
  static Vector widened(Vector sum) { return _mm512_sad_epu8(sum, zero()); }
  static __m128i sum_of_four(const Vector* sums) {
    const __m512i low = _mm512_or_si512(sums[0], _mm512_slli_epi64(sums[1], 32));
    const __m512i high = _mm512_or_si512(sums[2], _mm512_slli_epi64(sums[3], 32));
    const __m512i eighths =
        _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
    const __m256i quarters =
        _mm256_add_epi32(_mm512_castsi512_si256(eighths), _mm512_extracti64x4_epi64(eighths, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256(quarters, 1));
  }
  static void add_to(Vector sum, std::int32_t* counts) {
    __m256i* to = reinterpret_cast<__m256i*>(counts);
    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm512_cvtepi64_epi32(sum)));
  }
};

}  // namespace
}  // namespace bankai::kernels
