// Eight rows of a weight matrix side by side: what the AVX2 products share.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct Rows8Avx2 {
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr std::size_t kRows = 8;

  // Transposes 16 bytes of each row: lane r of to[i] is the 32-bit word i at base + row_offset[r].
  static void load_words(const std::uint8_t* base, const std::size_t* row_offset, __m256i* to) {
    __m256i from[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const auto load = [&](std::size_t row) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(base + row_offset[row]));
      };
      from[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load(i)), load(i + 4), 1);
    }
    const __m256i low01 = _mm256_unpacklo_epi32(from[0], from[1]);
    const __m256i high01 = _mm256_unpackhi_epi32(from[0], from[1]);
    const __m256i low23 = _mm256_unpacklo_epi32(from[2], from[3]);
    const __m256i high23 = _mm256_unpackhi_epi32(from[2], from[3]);
    to[0] = _mm256_unpacklo_epi64(low01, low23);
    to[1] = _mm256_unpackhi_epi64(low01, low23);
    to[2] = _mm256_unpacklo_epi64(high01, high23);
    to[3] = _mm256_unpackhi_epi64(high01, high23);
  }
  // The half-precision number at base + row_offset[r] of each row.
  static __m256 load_scales(const std::uint8_t* base, const std::size_t* row_offset) {
    std::uint16_t half[kRows];
    for (std::size_t row = 0; row < kRows; ++row)
      __builtin_memcpy(&half[row], base + row_offset[row], sizeof half[row]);
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half)));
  }

  static __m256i zero() { return _mm256_setzero_si256(); }
  static __m256i broadcast_word(const void* from) {
    std::int32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return _mm256_set1_epi32(word);
  }
  static __m256i add(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
  // Of each 16-bit lane pair: a_0 b_0 + a_1 b_1.
  static __m256i multiply_pairs(__m256i a, __m256i b) { return _mm256_madd_epi16(a, b); }
  // The signed bytes 0 and 2, or 1 and 3, of each 32-bit lane as two 16-bit lanes.
  static __m256i even_bytes(__m256i a) { return _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8); }
  static __m256i odd_bytes(__m256i a) { return _mm256_srai_epi16(a, 8); }

  static __m256 zero_floats() { return _mm256_setzero_ps(); }
  // fma(float(dot), weight_scale · scale, sum)
  static __m256 add_scaled(__m256i dot, __m256 weight_scale, float scale, __m256 sum) {
    const __m256 product = _mm256_mul_ps(weight_scale, _mm256_set1_ps(scale));
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), product, sum);
  }
  static __m256 load(const float* from, std::size_t count) {
    return count >= kRows ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, mask(count));
  }
  static void store(float* to, std::size_t count, __m256 value) {
    if (count >= kRows)
      _mm256_storeu_ps(to, value);
    else
      _mm256_maskstore_ps(to, mask(count), value);
  }

 private:
  static __m256i mask(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace
}  // namespace bankai::kernels
