// Products of digits in AVX2 registers, widened to 16 bits; see outer_digits_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct DigitSumsAvx2 {
  // Columns 0 to 3 and 4 to 7, four 16-bit tokens each; their sums as two pairs of tokens each.
  struct Columns {
    __m256i low, high;
  };
  struct Sums {
    __m256i low, high;
  };
  using Row = __m256i;
  static constexpr std::size_t kColumns = 8;
  static constexpr std::size_t kRows = 5;
  static constexpr std::size_t kSets = 1;

  static Sums start(const std::int8_t*, std::size_t) {
    return {_mm256_setzero_si256(), _mm256_setzero_si256()};
  }
  static Columns load(const std::int8_t* from) {
    const __m128i* registers = reinterpret_cast<const __m128i*>(from);
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(registers)),
            _mm256_cvtepi8_epi16(_mm_loadu_si128(registers + 1))};
  }
  static Row broadcast(const std::int8_t* four_bytes) {
    std::int32_t word;
    __builtin_memcpy(&word, four_bytes, sizeof word);
    return _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(word)));
  }
  static Sums multiply_add(Sums sums, Columns columns, Row row) {
    return {_mm256_add_epi32(sums.low, _mm256_madd_epi16(columns.low, row)),
            _mm256_add_epi32(sums.high, _mm256_madd_epi16(columns.high, row))};
  }
  static void add_scaled(Sums sums, float row_scale, const float* scales, bool adds, float* out) {
    // Columns 0, 1, 4, 5, 2, 3, 6, 7.
    const __m256i pairs = _mm256_hadd_epi32(sums.low, sums.high);
    const __m256 dots = _mm256_cvtepi32_ps(_mm256_permute4x64_epi64(pairs, 0xD8));
    const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(row_scale), _mm256_loadu_ps(scales));
    const __m256 before = adds ? _mm256_loadu_ps(out) : _mm256_setzero_ps();
    _mm256_storeu_ps(out, _mm256_fmadd_ps(dots, scale, before));
  }
};

}  // namespace
}  // namespace bankai::kernels
