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
  static constexpr std::size_t kTokens = 1;
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
  static Vector load(const std::uint64_t* from, Mask existing) {
    return _mm256_maskload_epi64(reinterpret_cast<const long long*>(from), existing);
  }
  static void transposed_load(const std::uint64_t* const* rows, std::size_t word, Mask existing,
                              Vector* to) {
    Vector even[2];  // words 0 and 2 of two rows
    Vector odd[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const Vector first = load(rows[2 * i] + word, existing);
      const Vector second = load(rows[2 * i + 1] + word, existing);
      even[i] = _mm256_unpacklo_epi64(first, second);
      odd[i] = _mm256_unpackhi_epi64(first, second);
    }
    to[0] = _mm256_permute2x128_si256(even[0], even[1], 0x20);
    to[1] = _mm256_permute2x128_si256(odd[0], odd[1], 0x20);
    to[2] = _mm256_permute2x128_si256(even[0], even[1], 0x31);
    to[3] = _mm256_permute2x128_si256(odd[0], odd[1], 0x31);
  }
  static Vector exclusive_or(Vector a, Vector b) { return _mm256_xor_si256(a, b); }
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
  static __m128i sum_of_four(const Vector* sums) {
    const __m256i low = _mm256_or_si256(sums[0], _mm256_slli_epi64(sums[1], 32));
    const __m256i high = _mm256_or_si256(sums[2], _mm256_slli_epi64(sums[3], 32));
    const __m256i pairs =
        _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
    return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  }
  static void add_to(Vector sum, std::int32_t* counts) {
    const __m256i low_words = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    __m128i* to = reinterpret_cast<__m128i*>(counts);
    const __m128i more = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(sum, low_words));
    _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), more));
  }
};

}  // namespace
}  // namespace bankai::kernels
