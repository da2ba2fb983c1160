// Counting bits in AVX2 registers, by looking up halves of bytes; see xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct XnorAvx2 {
  using Vector = __m256i;
  using Mask = __m256i;
  static constexpr std::size_t kWords = 4;
  static constexpr std::size_t kTokens = 2;
  static constexpr bool kWideCounts = false;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector broadcast(std::uint64_t word) {
    return _mm256_set1_epi64x(static_cast<long long>(word));
  }
  static Mask first_words(std::size_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(count)),
                              _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static Vector load(const std::uint64_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Vector exclusive_or(Vector a, Vector b) { return _mm256_xor_si256(a, b); }
  static Vector bit_and(Vector a, Vector b) { return _mm256_and_si256(a, b); }
  static Vector scaled(Vector counts, std::uint32_t factor) {
    return _mm256_mul_epu32(counts, broadcast(factor));
  }
  static void keep_least(Vector cost, Vector position, Mask existing, bool latest,
                         Vector& least_cost, Vector& least_position) {
    const Vector beaten = latest
                              ? _mm256_andnot_si256(_mm256_cmpgt_epi64(cost, least_cost), existing)
                              : _mm256_and_si256(_mm256_cmpgt_epi64(least_cost, cost), existing);
    least_cost = _mm256_blendv_epi8(least_cost, cost, beaten);
    least_position = _mm256_blendv_epi8(least_position, position, beaten);
  }
  static Vector add(Vector a, Vector b) { return _mm256_add_epi64(a, b); }
  static Vector add_count(Vector sum, Vector x) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low_half = _mm256_set1_epi8(15);
    const __m256i low = _mm256_and_si256(x, low_half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), low_half);
    sum = _mm256_add_epi8(sum, _mm256_shuffle_epi8(counts, low));
    return _mm256_add_epi8(sum, _mm256_shuffle_epi8(counts, high));
  }
  static Vector widened(Vector sum) { return _mm256_sad_epu8(sum, zero()); }
  static __m256i narrowed(const Vector* sums) {
    const __m256i low_words = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_blend_epi32(_mm256_permutevar8x32_epi32(sums[0], low_words),
                              _mm256_permutevar8x32_epi32(sums[1], low_words), 0xF0);
  }
};

}  // namespace
}  // namespace bankai::kernels
