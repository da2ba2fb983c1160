// Products of bytes in AVX-512 registers (F, BW), four to each 32-bit lane; see transposed_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/vec16_avx512.h"

namespace bankai::kernels {
namespace {

struct ByteQuadsAvx512 {
  using Ints = __m512i;
  // With __m512i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::uint16_t Sums __attribute__((vector_size(64)));
  using Lanes = Vec16Avx512;
  static constexpr std::size_t kColumns = 16;
  static constexpr std::size_t kPlanesAtOnce = 4;

  static Ints broadcast(const void* four_bytes) {
    std::int32_t word;
    __builtin_memcpy(&word, four_bytes, sizeof word);
    return _mm512_set1_epi32(word);
  }
  static Ints all_bytes(char value) { return _mm512_set1_epi8(value); }

  static Ints spread_bits(const std::uint8_t* words, std::size_t) {
    std::int64_t four_words;
    __builtin_memcpy(&four_words, words, sizeof four_words);
    // Columns 0 to 7 are in the low bytes of the words, columns 8 to 15 in the high ones.
    const __m512i byte_of_word =
        _mm512_mask_set1_epi32(_mm512_set1_epi32(0x06040200), 0xFF00, 0x07050301);
    const __m512i bit = _mm512_broadcast_i64x4(
        _mm256_setr_epi32(0x01010101, 0x02020202, 0x04040404, 0x08080808, 0x10101010, 0x20202020,
                          0x40404040, static_cast<int>(0x80808080)));
    const __m512i bytes = _mm512_shuffle_epi8(_mm512_set1_epi64(four_words), byte_of_word);
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(bytes, bit), _mm512_set1_epi8(2));
  }
  static Sums multiply_add(Sums sums, Ints weights, Ints values) {
    return sums + __builtin_bit_cast(Sums, _mm512_maddubs_epi16(weights, values));
  }
  static Ints finished(Sums sums) {
    return _mm512_madd_epi16(__builtin_bit_cast(Ints, sums), _mm512_set1_epi16(1));
  }
  static Ints minus(Ints a, std::int32_t b) { return _mm512_sub_epi32(a, _mm512_set1_epi32(b)); }
  static Ints combined(Ints high, Ints low) {  // 255 · high + low
    return _mm512_add_epi32(_mm512_sub_epi32(_mm512_slli_epi32(high, 8), high), low);
  }
  static void add_scaled(Ints dots, float scale, float* sums) {
    _mm512_storeu_ps(sums, _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), _mm512_set1_ps(scale),
                                           _mm512_loadu_ps(sums)));
  }
};

}  // namespace
}  // namespace bankai::kernels
