// Byte look-ups for 32 rows at once with AVX2: what gemm_lookup_body.h needs.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/rows_avx2.h"

namespace bankai::kernels {
namespace {

struct LookupAvx2 {
  using Rows = Rows8Avx2;
  using Bytes = __m256i;  // a byte per row, in the order of load_nibbles
  using Words = __m256i;  // 16 lanes of 16 bits
  static constexpr std::size_t kRows = 32;
  static constexpr std::size_t kRegisterUnits =
      2;  // units of one bit plane whose sums find a register

  // The bits of the columns 4 i … 4 i + 3 of a line, for each of its 32 rows.
  static void load_nibbles(const std::uint8_t* line, Bytes* nibbles) {
    const __m256i first = _mm256_load_si256(reinterpret_cast<const __m256i*>(line));
    const __m256i second = _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 32));
    const __m256i low_byte = _mm256_set1_epi16(0xFF);
    split(
        _mm256_packus_epi16(_mm256_and_si256(first, low_byte), _mm256_and_si256(second, low_byte)),
        nibbles);
    split(_mm256_packus_epi16(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8)),
          nibbles + 2);
  }

  // table: 16 bytes
  static Bytes load_table(const std::uint8_t* table) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
  }
  static Bytes lookup(Bytes table, Bytes nibble) { return _mm256_shuffle_epi8(table, nibble); }
  static Bytes add(Bytes a, Bytes b) {
    Bytes sum = _mm256_add_epi8(a, b);
    // Or else GCC makes a tree of a chain of additions, and its terms do not find a register.
    asm("" : "+x"(sum));
    return sum;
  }

  static Words broadcast_word(std::int16_t x) { return _mm256_set1_epi16(x); }
  // sums[0] and sums[1] += kLow · low + kHigh · high; a lane of sums[i] is where its row's word is
  // in half i of a line.
  template <int kLow, int kHigh>
  static void add_digits(Bytes low, Bytes high, Words* sums) {
    const __m256i factors = _mm256_set1_epi16(kHigh * 256 + kLow);
    sums[0] =
        _mm256_add_epi16(sums[0], _mm256_maddubs_epi16(_mm256_unpacklo_epi8(low, high), factors));
    sums[1] =
        _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(_mm256_unpackhi_epi8(low, high), factors));
  }
  // The rows in even lanes (of the panel's rows 0 to 15) and in odd ones.
  static __m256i even_rows(Words plane) {
    return _mm256_srai_epi32(_mm256_slli_epi32(plane, 16), 16);
  }
  static __m256i odd_rows(Words plane) { return _mm256_srai_epi32(plane, 16); }
  // 255 · high + low of the same rows.
  static __m256i even_rows(Words high, Words low) {
    return _mm256_add_epi32(_mm256_madd_epi16(high, _mm256_set1_epi32(255)), even_rows(low));
  }
  static __m256i odd_rows(Words high, Words low) {
    return _mm256_add_epi32(_mm256_madd_epi16(high, _mm256_set1_epi32(255 << 16)), odd_rows(low));
  }

  // to[16 · d + e] = digit d (of 5 bits) of 512 + Σ values[j] over the bits j set in e.
  static void build_tables(const std::int8_t* values, std::uint8_t* to) {
    // The bytes of lane e are bits 0 and 1, or 2 and 3, of e.
    const __m256i bits_0_1 =
        _mm256_setr_epi16(0, 1, 256, 257, 0, 1, 256, 257, 0, 1, 256, 257, 0, 1, 256, 257);
    const __m256i bits_2_3 =
        _mm256_setr_epi16(0, 0, 0, 0, 1, 1, 1, 1, 256, 256, 256, 256, 257, 257, 257, 257);
    std::int16_t pair[2];
    __builtin_memcpy(pair, values, sizeof pair);
    __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(bits_0_1, _mm256_set1_epi16(pair[0])),
                                   _mm256_maddubs_epi16(bits_2_3, _mm256_set1_epi16(pair[1])));
    sum = _mm256_add_epi16(sum, _mm256_set1_epi16(512));
    const __m256i low = _mm256_and_si256(sum, _mm256_set1_epi16(31));
    const __m256i digits = _mm256_packus_epi16(low, _mm256_srli_epi16(sum, 5));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(digits, 0xD8));
  }

 private:
  static void split(__m256i bytes, Bytes* nibbles) {
    const __m256i low_nibble = _mm256_set1_epi8(15);
    nibbles[0] = _mm256_and_si256(bytes, low_nibble);
    nibbles[1] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibble);
  }
};

}  // namespace
}  // namespace bankai::kernels
