// Products of digits in AVX-512 registers with VNNI; see outer_digits_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

// The instruction multiplies unsigned bytes by signed ones: columns count 128 too much, which the
// sums make up for from the start.
struct DigitSumsAvx512Icl {
  using Columns = __m512i;
  using Row = __m512i;
  // With __m512i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::int32_t Sums __attribute__((vector_size(64)));
  static constexpr std::size_t kColumns = 16;
  static constexpr std::size_t kRows = 6;
  static constexpr std::size_t kSets = 4;

  static Sums start(const std::int8_t* digits, std::size_t num_quads) {
    std::int32_t sum = 0;
    std::size_t i = 0;
    for (; i + 4 <= num_quads; i += 4) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(digits + 4 * i));
      const __m128i sums = _mm_dpbusd_epi32(_mm_setzero_si128(), _mm_set1_epi8(1), bytes);
      const __m128i halves = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4E));
      sum += _mm_cvtsi128_si32(_mm_add_epi32(halves, _mm_shuffle_epi32(halves, 0xB1)));
    }
    for (i *= 4; i < 4 * num_quads; ++i) sum += digits[i];
    return __builtin_bit_cast(Sums, _mm512_set1_epi32(-128 * sum));
  }
  static Columns load(const std::int8_t* from) {
    return _mm512_xor_si512(_mm512_loadu_si512(from), _mm512_set1_epi8(static_cast<char>(0x80)));
  }
  static Row broadcast(const std::int8_t* four_bytes) {
    std::int32_t word;
    __builtin_memcpy(&word, four_bytes, sizeof word);
    return _mm512_set1_epi32(word);
  }
  static Sums multiply_add(Sums sums, Columns columns, Row row) {
    return __builtin_bit_cast(Sums,
                              _mm512_dpbusd_epi32(__builtin_bit_cast(__m512i, sums), columns, row));
  }
  static void add_scaled(Sums sums, float row_scale, const float* scales, bool adds, float* out) {
    const __m512 dots = _mm512_cvtepi32_ps(__builtin_bit_cast(__m512i, sums));
    const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row_scale), _mm512_loadu_ps(scales));
    const __m512 before = adds ? _mm512_loadu_ps(out) : _mm512_setzero_ps();
    _mm512_storeu_ps(out, _mm512_fmadd_ps(dots, scale, before));
  }
};

}  // namespace
}  // namespace bankai::kernels
