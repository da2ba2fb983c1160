// Signs and weights in AVX2 registers; see signs_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct SignsAvx2 {
  using Words = __m256i;
  using Sums = __m256i;
  static constexpr std::size_t kWidth = 16;

  static Words load(const std::int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void store(std::int16_t* to, Words words) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
  }
  static Words broadcast(std::int16_t value) { return _mm256_set1_epi16(value); }
  static Sums zero_sums() { return _mm256_setzero_si256(); }
  static Sums multiply_add(Sums sums, Words a, Words b) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
  }
  static Words add_product(Words words, Words step, Words signs) {
    return _mm256_add_epi16(words, _mm256_sign_epi16(step, signs));
  }
  static Words clamp(Words words, Words low, Words high) {
    return _mm256_max_epi16(low, _mm256_min_epi16(high, words));
  }
  static void total(const Sums* sums, std::int32_t* out) {
    const __m256i first = total_of_four(sums);
    const __m256i last = total_of_four(sums + 4);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_add_epi32(_mm256_permute2x128_si256(first, last, 0x20),
                                         _mm256_permute2x128_si256(first, last, 0x31)));
  }

 private:
  // In each half of the register, what that half of the four sums adds up to.
  static __m256i total_of_four(const Sums* sums) {
    return _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]),
                             _mm256_hadd_epi32(sums[2], sums[3]));
  }
};

}  // namespace
}  // namespace bankai::kernels
