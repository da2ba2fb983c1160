// KernelTable::gemm_q1_0 for AVX2, by byte products.
//
// The signs of 8 rows × 4 columns are expanded to bytes {0, 2}; vpmaddubsw multiplies them with 4
// broadcast activations, and 16-bit lanes take the sums of a whole group: starting from −Σ v they
// stay within 128 · 127 + 64 · 2 · 127 < 2^15. Expansion is a shift and a mask of the row's 32-bit
// word, which picks the columns j, 8 + j, 16 + j, 24 + j; so the activations are put into that
// order first, once per tile of tokens.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/rows_avx2.h"

namespace bankai::kernels {
namespace q1_0_avx2 {
namespace {

using R = Rows8Avx2;

constexpr std::size_t kStripeGroups = 4;
constexpr std::size_t kGroupQuads = kGemmGroupCols / 4;
constexpr std::size_t kPanels = 4;   // of 8 rows
constexpr std::size_t kPlanes = 32;  // digit planes that are prepared for a stripe: 16 KiB

// One digit plane of one token for one group.
struct GroupValues {
  std::int8_t value[kGemmGroupCols];  // in the order of expansion
  std::int32_t minus_sum;             // the low 16 bits of −Σ v
};

// to[32 q + 4 j + b] = from[32 q + 8 b + j]
inline void reorder_values(const std::int8_t* from, GroupValues* to) {
  const __m256i interleave = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,
                                              0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t col = 0; col < kGemmGroupCols; col += 32) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + col));
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(_mm256_set1_epi8(1), values));
    const __m256i pairs = _mm256_shuffle_epi8(values, interleave);
    const __m128i first = _mm256_castsi256_si128(pairs);
    const __m128i second = _mm256_extracti128_si256(pairs, 1);
    __m128i* out = reinterpret_cast<__m128i*>(to->value + col);
    _mm_storeu_si128(out, _mm_unpacklo_epi16(first, second));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(first, second));
  }
  __m256i words = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
  words = _mm256_add_epi32(words, _mm256_permute4x64_epi64(words, 0x4E));
  words = _mm256_add_epi32(words, _mm256_shuffle_epi32(words, 0x4E));
  words = _mm256_add_epi32(words, _mm256_shuffle_epi32(words, 0xB1));
  to->minus_sum = -_mm256_cvtsi256_si32(words) & 0xFFFF;
}

// sums[i][p], 16 lanes of 16 bits, two for each row: Σ ±v over one group. A function of its own, so
// that all sums of its loop find a register.
template <std::size_t kPlanesAtOnce>
[[gnu::noinline]] void sum_group(const __m256i (*weights)[kPanels],
                                 const GroupValues* const* values, __m256i (*sums)[kPanels]) {
  // With __m256i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::uint16_t Lanes __attribute__((vector_size(32)));
  Lanes sum[kPlanesAtOnce][kPanels];
  for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
    for (std::size_t p = 0; p < kPanels; ++p)
      sum[i][p] = __builtin_bit_cast(Lanes, _mm256_set1_epi32(values[i]->minus_sum));
  for (std::size_t quad = 0; quad < kGroupQuads; ++quad) {
    __m256i value[kPlanesAtOnce];
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
      value[i] = R::broadcast_word(values[i]->value + 4 * quad);
    for (std::size_t p = 0; p < kPanels; ++p)
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
        sum[i][p] += __builtin_bit_cast(Lanes, _mm256_maddubs_epi16(weights[quad][p], value[i]));
  }
  for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
    for (std::size_t p = 0; p < kPanels; ++p) sums[i][p] = __builtin_bit_cast(__m256i, sum[i][p]);
}

template <bool kHasLow>
class Tile {
 public:
  static constexpr std::size_t kStripeGroups = q1_0_avx2::kStripeGroups;
  static constexpr std::size_t kRows = kPanels * R::kRows;
  static constexpr std::size_t kMaxTokens = kPlanes / (kHasLow ? 2 : 1);
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;
  static constexpr std::size_t kGroupBytes = 18;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    reorder_values(high, &values_[slot][0]);
    if constexpr (kHasLow) reorder_values(low, &values_[slot][1]);
  }

  void load_rows(const std::uint8_t* weights, const std::size_t* row_offset,
                 std::size_t /*num_rows*/, std::size_t num_groups, UpcomingBytes* upcoming) {
    for (std::size_t group = 0; group < num_groups; ++group) {
      for (std::size_t p = 0; p < kPanels; ++p) {
        upcoming->prefetch(3);
        const std::uint8_t* block = weights + group * kGroupBytes;
        scales_[group][p] = R::load_scales(block, row_offset + p * R::kRows);
        __m256i words[4];
        R::load_words(block + 2, row_offset + p * R::kRows, words);
        for (std::size_t q = 0; q < 4; ++q) expand_word(words[q], group, 8 * q, p);
      }
    }
  }

  void accumulate(std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kTokensAtOnce = 2 / kTokenPlanes;
    for (; num_tokens >= kTokensAtOnce; num_tokens -= kTokensAtOnce) {
      accumulate_tokens<kTokensAtOnce>(output);
      output = output.after_tokens(kTokensAtOnce);
    }
    if (num_tokens > 0) accumulate_tokens<1>(output);
  }

 private:
  static constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;

  // Bytes {0, 2} of the columns j, 8 + j, 16 + j, 24 + j of a word, for j = 0 … 7.
  void expand_word(__m256i word, std::size_t group, std::size_t first_quad, std::size_t p) {
    const auto put = [&](std::size_t j, __m256i shifted) {
      weights_[group][first_quad + j][p] = _mm256_and_si256(shifted, _mm256_set1_epi8(2));
    };
    put(0, _mm256_slli_epi32(word, 1));
    put(1, word);
    put(2, _mm256_srli_epi32(word, 1));
    put(3, _mm256_srli_epi32(word, 2));
    put(4, _mm256_srli_epi32(word, 3));
    put(5, _mm256_srli_epi32(word, 4));
    put(6, _mm256_srli_epi32(word, 5));
    put(7, _mm256_srli_epi32(word, 6));
  }

  template <std::size_t kTokens>
  void accumulate_tokens(const OutputTile& output) const {
    constexpr std::size_t kPlanesAtOnce = kTokens * kTokenPlanes;
    __m256 total[kTokens][kPanels];
    std::size_t panel_rows[kPanels];
    for (std::size_t p = 0; p < kPanels; ++p) {
      const std::size_t first = p * R::kRows;
      panel_rows[p] = output.num_rows > first ? output.num_rows - first : 0;
      for (std::size_t t = 0; t < kTokens; ++t)
        total[t][p] = output.is_first
                          ? R::zero_floats()
                          : R::load(output.out + t * output.out_stride + first, panel_rows[p]);
    }
    for (std::size_t group = 0; group < output.num_groups; ++group) {
      const GroupValues* values[kPlanesAtOnce];
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
        values[i] =
            &values_[output.slot + i / kTokenPlanes * output.token_slots + group][i % kTokenPlanes];
      __m256i sums[kPlanesAtOnce][kPanels];
      sum_group<kPlanesAtOnce>(weights_[group], values, sums);
      for (std::size_t t = 0; t < kTokens; ++t)
        for (std::size_t p = 0; p < kPanels; ++p)
          total[t][p] = R::add_scaled(combine_planes(&sums[t * kTokenPlanes], p), scales_[group][p],
                                      output.scales[t * output.scales_stride + group], total[t][p]);
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t p = 0; p < kPanels; ++p)
        R::store(output.out + t * output.out_stride + p * R::kRows, panel_rows[p], total[t][p]);
  }

  // Σ weight · value from the 16-bit sums of a token's planes. Always inlined: the sums are the
  // caller's registers.
  [[gnu::always_inline]] static __m256i combine_planes(const __m256i (*plane)[kPanels],
                                                       std::size_t p) {
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (kHasLow)
      return _mm256_add_epi32(_mm256_madd_epi16(plane[0][p], _mm256_set1_epi16(255)),
                              _mm256_madd_epi16(plane[1][p], ones));
    else
      return _mm256_madd_epi16(plane[0][p], ones);
  }

  GroupValues values_[kSlots][kTokenPlanes];
  __m256i weights_[kStripeGroups][kGroupQuads][kPanels];
  __m256 scales_[kStripeGroups][kPanels];
};

inline void gemm(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                 float* out, std::size_t out_stride) {
  if (activations.low != nullptr)
    multiply_in_tiles<Tile<true>>(blocks, rows, activations, out, out_stride);
  else
    multiply_in_tiles<Tile<false>>(blocks, rows, activations, out, out_stride);
}

}  // namespace
}  // namespace q1_0_avx2
}  // namespace bankai::kernels
