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

#include "kernels/kernel_table.h"
#include "kernels/rows_avx2.h"

namespace bankai::kernels {
namespace q1_0_avx2 {
namespace {

using R = Rows8Avx2;

constexpr std::size_t kGroupCols = 128;
constexpr std::size_t kBlockBytes = 18;
constexpr std::size_t kStripeGroups = 4;
constexpr std::size_t kGroupQuads = kGroupCols / 4;
constexpr std::size_t kPanels = 2;  // of 8 rows
constexpr std::size_t kTileRows = kPanels * R::kRows;
constexpr std::size_t kMaxPlanes = 32;  // digit planes of a tile of tokens: 16 KiB

struct Scratch {
  std::int8_t values[kMaxPlanes][kStripeGroups][kGroupCols];  // in the order of expansion
  std::int32_t minus_sum[kMaxPlanes][kStripeGroups];          // −Σ v, as the low 16 bits
  __m256i weights[kStripeGroups][kGroupQuads][kPanels];
  __m256 scales[kStripeGroups][kPanels];
};

// to[32 q + 4 j + b] = from[32 q + 8 b + j], and −Σ from.
inline std::int32_t reorder_group(const std::int8_t* from, std::int8_t* to) {
  const __m256i interleave = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,
                                              0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t col = 0; col < kGroupCols; col += 32) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + col));
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(_mm256_set1_epi8(1), values));
    const __m256i pairs = _mm256_shuffle_epi8(values, interleave);
    const __m128i first = _mm256_castsi256_si128(pairs);
    const __m128i second = _mm256_extracti128_si256(pairs, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + col), _mm_unpacklo_epi16(first, second));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + col + 16), _mm_unpackhi_epi16(first, second));
  }
  __m256i words = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
  words = _mm256_add_epi32(words, _mm256_permute4x64_epi64(words, 0x4E));
  words = _mm256_add_epi32(words, _mm256_shuffle_epi32(words, 0x4E));
  words = _mm256_add_epi32(words, _mm256_shuffle_epi32(words, 0xB1));
  return -_mm256_cvtsi256_si32(words);
}

// A stripe of the rows of a tile: signs as bytes {0, 2}, and the scales.
inline void expand_rows(const std::uint8_t* blocks, const std::size_t* row_offset,
                        std::size_t num_groups, Scratch* scratch) {
  const __m256i two = _mm256_set1_epi8(2);
  for (std::size_t group = 0; group < num_groups; ++group) {
    const std::uint8_t* block = blocks + group * kBlockBytes;
    for (std::size_t p = 0; p < kPanels; ++p) {
      const std::size_t* offset = row_offset + p * R::kRows;
      scratch->scales[group][p] = R::load_scales(block, offset);
      __m256i words[4];
      R::load_words(block + 2, offset, words);
      for (std::size_t q = 0; q < 4; ++q) {
        const auto put = [&](std::size_t j, __m256i shifted) {
          scratch->weights[group][8 * q + j][p] = _mm256_and_si256(shifted, two);
        };
        put(0, _mm256_slli_epi32(words[q], 1));
        put(1, words[q]);
        put(2, _mm256_srli_epi32(words[q], 1));
        put(3, _mm256_srli_epi32(words[q], 2));
        put(4, _mm256_srli_epi32(words[q], 3));
        put(5, _mm256_srli_epi32(words[q], 4));
        put(6, _mm256_srli_epi32(words[q], 5));
        put(7, _mm256_srli_epi32(words[q], 6));
      }
    }
  }
}

// Which part of the output a call of accumulate_tile adds to.
struct OutputTile {
  float* out;  // of the tile's first row and token
  std::size_t out_stride;
  std::size_t num_rows;  // up to kTileRows
  const float* scales;   // activation scales of the first token and group
  std::size_t scales_stride;
  std::size_t num_groups;
  bool is_first_stripe;

  std::size_t rows_of_panel(std::size_t p) const {
    const std::size_t first = p * R::kRows;
    return num_rows > first ? num_rows - first : 0;
  }
};

// Σ weight · value from the 16-bit sums of one or two digit planes.
template <bool kHasLow>
__m256i combine_planes(const __m256i (*plane)[kPanels], std::size_t p) {
  const __m256i ones = _mm256_set1_epi16(1);
  if constexpr (kHasLow)
    return _mm256_add_epi32(_mm256_madd_epi16(plane[0][p], _mm256_set1_epi16(255)),
                            _mm256_madd_epi16(plane[1][p], ones));
  else
    return _mm256_madd_epi16(plane[0][p], ones);
}

template <std::size_t kTokens, bool kHasLow>
void accumulate_tile(const Scratch& scratch, std::size_t first_token, const OutputTile& tile) {
  constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;
  constexpr std::size_t kPlanes = kTokens * kTokenPlanes;
  const std::size_t first_plane = first_token * kTokenPlanes;
  __m256 total[kTokens][kPanels];
  for (std::size_t t = 0; t < kTokens; ++t)
    for (std::size_t p = 0; p < kPanels; ++p)
      total[t][p] = tile.is_first_stripe ? R::zero_floats()
                                         : R::load(tile.out + t * tile.out_stride + p * R::kRows,
                                                   tile.rows_of_panel(p));
  for (std::size_t group = 0; group < tile.num_groups; ++group) {
    __m256i sums[kPlanes][kPanels];
    for (std::size_t i = 0; i < kPlanes; ++i)
      for (std::size_t p = 0; p < kPanels; ++p)
        sums[i][p] = _mm256_set1_epi32(scratch.minus_sum[first_plane + i][group]);
    for (std::size_t quad = 0; quad < kGroupQuads; ++quad) {
      const __m256i* weights = scratch.weights[group][quad];
      for (std::size_t i = 0; i < kPlanes; ++i) {
        const __m256i values = R::broadcast_word(&scratch.values[first_plane + i][group][4 * quad]);
        for (std::size_t p = 0; p < kPanels; ++p)
          sums[i][p] = _mm256_add_epi16(sums[i][p], _mm256_maddubs_epi16(weights[p], values));
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t p = 0; p < kPanels; ++p)
        total[t][p] = R::add_scaled(combine_planes<kHasLow>(&sums[t * kTokenPlanes], p),
                                    scratch.scales[group][p],
                                    tile.scales[t * tile.scales_stride + group], total[t][p]);
  }
  for (std::size_t t = 0; t < kTokens; ++t)
    for (std::size_t p = 0; p < kPanels; ++p)
      R::store(tile.out + t * tile.out_stride + p * R::kRows, tile.rows_of_panel(p), total[t][p]);
}

template <bool kHasLow>
void multiply(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
              float* out, std::size_t out_stride) {
  constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;
  constexpr std::size_t kTileTokens = kMaxPlanes / kTokenPlanes;
  constexpr std::size_t kTokensAtOnce = 4 / kTokenPlanes;
  const std::size_t groups = activations.cols / kGroupCols;
  const std::size_t row_bytes = groups * kBlockBytes;
  const auto smaller = [](std::size_t a, std::size_t b) { return a < b ? a : b; };
  Scratch scratch;
  for (std::size_t first_group = 0; first_group < groups; first_group += kStripeGroups) {
    const std::size_t num_groups = smaller(groups - first_group, kStripeGroups);
    for (std::size_t token = 0; token < activations.tokens; token += kTileTokens) {
      const std::size_t num_tokens = smaller(activations.tokens - token, kTileTokens);
      for (std::size_t t = 0; t < num_tokens; ++t) {
        for (std::size_t g = 0; g < num_groups; ++g) {
          const std::size_t first = (token + t) * activations.cols + (first_group + g) * kGroupCols;
          const std::size_t plane = t * kTokenPlanes;
          scratch.minus_sum[plane][g] =
              reorder_group(activations.high + first, scratch.values[plane][g]) & 0xFFFF;
          if constexpr (kHasLow)
            scratch.minus_sum[plane + 1][g] =
                reorder_group(activations.low + first, scratch.values[plane + 1][g]) & 0xFFFF;
        }
      }
      for (std::size_t row = 0; row < rows; row += kTileRows) {
        const std::size_t num_rows = smaller(rows - row, kTileRows);
        std::size_t row_offset[kTileRows];  // rows that do not exist repeat the last one
        for (std::size_t r = 0; r < kTileRows; ++r)
          row_offset[r] = (row + smaller(r, num_rows - 1)) * row_bytes;
        expand_rows(blocks + first_group * kBlockBytes, row_offset, num_groups, &scratch);
        OutputTile tile = {.out = out + token * out_stride + row,
                           .out_stride = out_stride,
                           .num_rows = num_rows,
                           .scales = activations.scales + token * groups + first_group,
                           .scales_stride = groups,
                           .num_groups = num_groups,
                           .is_first_stripe = first_group == 0};
        std::size_t t = 0;
        for (; t + kTokensAtOnce <= num_tokens; t += kTokensAtOnce) {
          accumulate_tile<kTokensAtOnce, kHasLow>(scratch, t, tile);
          tile.out += kTokensAtOnce * out_stride;
          tile.scales += kTokensAtOnce * groups;
        }
        for (; t < num_tokens; ++t) {
          accumulate_tile<1, kHasLow>(scratch, t, tile);
          tile.out += out_stride;
          tile.scales += groups;
        }
      }
    }
  }
}

inline void gemm(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                 float* out, std::size_t out_stride) {
  if (activations.low != nullptr)
    multiply<true>(blocks, rows, activations, out, out_stride);
  else
    multiply<false>(blocks, rows, activations, out, out_stride);
}

}  // namespace
}  // namespace q1_0_avx2
}  // namespace bankai::kernels
