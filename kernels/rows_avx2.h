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
  using Weights = __m256i;  // pairs of 16 bits
  using Pair = __m256i;
  static constexpr std::size_t kRows = 8;
  static constexpr std::size_t kTokensAtOnce =
      2;  // times 4 vectors of int8 sums: 8 of 16 registers

  // The scales of a panel: to[i] has the rows from 8 i.
  static void load_scales(const std::uint8_t* line, __m256* to) {
    const __m256i first = load_line(line);
    const __m256i second = load_line(line + 32);
    const __m256i rows = _mm256_set1_epi32(0xFFFF);
    widen_halves(_mm256_and_si256(first, rows), _mm256_and_si256(second, rows), to);
    widen_halves(_mm256_srli_epi32(first, 16), _mm256_srli_epi32(second, 16), to + 2);
  }

  // Of 8 rows × 4 signed bytes: the columns 0 and 2, and 1 and 3, as 16-bit pairs.
  static void load_pairs(const std::uint8_t* line, __m256i* even, __m256i* odd) {
    const __m256i bytes = load_line(line);
    *even = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
    *odd = _mm256_srai_epi16(bytes, 8);
  }
  static __m256i broadcast_pair(const std::int16_t* from) {
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  // sum + weights_0 · pair_0 + weights_1 · pair_1
  static __m256i add_pairs(__m256i sum, __m256i weights, __m256i pair) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(weights, pair));
  }

  static __m256i zero() { return _mm256_setzero_si256(); }
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
  static __m256i load_line(const std::uint8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  // Halves in the lower parts of 32-bit lanes.
  static void widen_halves(__m256i first, __m256i second, __m256* to) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xD8);
    to[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
    to[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(packed, 1));
  }
  static __m256i mask(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace
}  // namespace bankai::kernels
