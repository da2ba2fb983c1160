// Signs and weights in AVX-512 registers; see signs_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/signs_avx2.h"

namespace bankai::kernels {
namespace {

struct SignsAvx512 {
  using Words = __m512i;
  using Sums = __m512i;
  static constexpr std::size_t kWidth = 32;

  static Words load(const std::int16_t* from) { return _mm512_loadu_si512(from); }
  static void store(std::int16_t* to, Words words) { _mm512_storeu_si512(to, words); }
  static Words broadcast(std::int16_t value) { return _mm512_set1_epi16(value); }
  static Sums zero_sums() { return _mm512_setzero_si512(); }
  static Sums multiply_add(Sums sums, Words a, Words b) {
    return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b));
  }
  static Words add_product(Words words, Words step, Words signs) {
    return _mm512_add_epi16(words, _mm512_mullo_epi16(step, signs));
  }
  static Words clamp(Words words, Words low, Words high) {
    return _mm512_max_epi16(low, _mm512_min_epi16(high, words));
  }
  static void total(const Sums* sums, std::int32_t* out) {
    __m256i halves[8];
    for (int t = 0; t < 8; ++t)
      halves[t] =
          _mm256_add_epi32(_mm512_castsi512_si256(sums[t]), _mm512_extracti64x4_epi64(sums[t], 1));
    SignsAvx2::total(halves, out);
  }
};

}  // namespace
}  // namespace bankai::kernels
