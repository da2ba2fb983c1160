// Counting bits in AVX-512 registers (F, BW), by looking up halves of bytes; see xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

struct XnorAvx512 {
  using Vector = __m512i;
  using Mask = __mmask8;
  static constexpr std::size_t kWords = 8;
  static constexpr std::size_t kTokens = 2;
  static constexpr bool kWideCounts = false;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector broadcast(std::uint64_t word) {
    return _mm512_set1_epi64(static_cast<long long>(word));
  }
  static Mask first_words(std::size_t count) {
    return static_cast<Mask>(count >= kWords ? 0xFFU : (1U << count) - 1U);
  }
  static Vector load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
  static Vector exclusive_or(Vector a, Vector b) { return _mm512_xor_si512(a, b); }
  static Vector bit_and(Vector a, Vector b) { return _mm512_and_si512(a, b); }
  static Vector scaled(Vector counts, std::uint32_t factor) {
    return _mm512_mul_epu32(counts, broadcast(factor));
  }
  static void keep_least(Vector cost, Vector position, Mask existing, bool latest,
                         Vector& least_cost, Vector& least_position) {
    const Mask beaten = latest ? _mm512_mask_cmple_epi64_mask(existing, cost, least_cost)
                               : _mm512_mask_cmplt_epi64_mask(existing, cost, least_cost);
    least_cost = _mm512_mask_mov_epi64(least_cost, beaten, cost);
    least_position = _mm512_mask_mov_epi64(least_position, beaten, position);
  }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi64(a, b); }
  static Vector add_count(Vector sum, Vector x) {
    const __m512i counts =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low_half = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(x, low_half);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(x, 4), low_half);
    sum = _mm512_add_epi8(sum, _mm512_shuffle_epi8(counts, low));
    return _mm512_add_epi8(sum, _mm512_shuffle_epi8(counts, high));
  }
  static Vector widened(Vector sum) { return _mm512_sad_epu8(sum, zero()); }
  static __m256i narrowed(const Vector* sums) { return _mm512_cvtepi64_epi32(*sums); }
};

}  // namespace
}  // namespace bankai::kernels
