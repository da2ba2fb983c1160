// Products of bytes in AVX2 registers, four to each 32-bit lane; see transposed_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/vec16_avx2.h"

namespace bankai::kernels {
namespace {

struct ByteQuadsAvx2 {
  using Ints = __m256i;
  // With __m256i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::uint16_t Sums __attribute__((vector_size(32)));
  using Lanes = Vec16Avx2;
  static constexpr std::size_t kColumns = 8;
  static constexpr std::size_t kPlanesAtOnce = 2;

  static Ints broadcast(const void* four_bytes) {
    std::int32_t word;
    __builtin_memcpy(&word, four_bytes, sizeof word);
    return _mm256_set1_epi32(word);
  }
  static Ints all_bytes(char value) { return _mm256_set1_epi8(value); }

  static Ints spread_bits(const std::uint8_t* words, std::size_t part) {
    std::int64_t four_words;
    __builtin_memcpy(&four_words, words, sizeof four_words);
    const __m256i byte_of_word = _mm256_set1_epi64x(0x0604020006040200);
    const __m256i bit =
        _mm256_setr_epi32(0x01010101, 0x02020202, 0x04040404, 0x08080808, 0x10101010, 0x20202020,
                          0x40404040, static_cast<int>(0x80808080));
    const __m256i bytes = _mm256_shuffle_epi8(
        _mm256_set1_epi64x(four_words),
        _mm256_add_epi8(byte_of_word, _mm256_set1_epi8(static_cast<char>(part))));
    const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    return _mm256_and_si256(is_set, _mm256_set1_epi8(2));
  }
  static Sums multiply_add(Sums sums, Ints weights, Ints values) {
    return sums + __builtin_bit_cast(Sums, _mm256_maddubs_epi16(weights, values));
  }
  static Ints finished(Sums sums) {
    return _mm256_madd_epi16(__builtin_bit_cast(Ints, sums), _mm256_set1_epi16(1));
  }
  static Ints minus(Ints a, std::int32_t b) { return _mm256_sub_epi32(a, _mm256_set1_epi32(b)); }
  static Ints combined(Ints high, Ints low) {  // 255 · high + low
    return _mm256_add_epi32(_mm256_sub_epi32(_mm256_slli_epi32(high, 8), high), low);
  }
  static void add_scaled(Ints dots, float scale, float* sums) {
    _mm256_storeu_ps(sums, _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), _mm256_set1_ps(scale),
                                           _mm256_loadu_ps(sums)));
  }
};

}  // namespace
}  // namespace bankai::kernels
