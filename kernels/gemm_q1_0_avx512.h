// KernelTable::gemm_q1_0 for AVX-512 (F, BW, DQ, VL), by table look-up.
//
// A row's weights over c columns choose one of 2^c sums ±v_0 ±v_1 …; all of them fit in registers
// as 16-bit lanes for c = 5 (one register) and c = 6 (two). So a 16-bit word of signs is used up in
// three look-ups of 5, 5 and 6 columns, each an in-register permutation that serves 32 rows: about
// 170 multiply-adds for a permutation and an addition, against 64 for a VNNI instruction. The sums
// over a group of 128 columns stay below 128 · 127 < 2^15, so that 16 bits are exact.
//
// Order of work: stripes of 4 groups; in a stripe, tiles of tokens whose sum tables are built once;
// in a tile, tiles of rows whose words are transposed once so that one register holds the same word
// of 32 rows (a panel): row i in lane 2 i, row 16 + i in lane 2 i + 1.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/rows_avx512.h"

namespace bankai::kernels {
namespace q1_0_avx512 {
namespace {

constexpr std::size_t kGroupCols = 128;
constexpr std::size_t kBlockBytes = 18;
constexpr std::size_t kBlockWords = 9;    // 16-bit words: the scale, then the signs
constexpr std::size_t kStripeGroups = 4;  // 64 bytes of signs per row
constexpr std::size_t kPanelRows = 32;
constexpr std::size_t kMaxPanels = 4;
// Digit planes (a token has one in a8, two in a16) that have tables at the same time: 16 · 8 KiB
// stay in the second-level cache.
constexpr std::size_t kMaxPlanes = 16;

// The sums for the 16 columns of one word, in units of (bit set ? 2 v : 0): the −Σ v that makes
// them signed is added once per group.
struct WordTables {
  __m512i columns_0_to_4;
  __m512i columns_5_to_9;
  __m512i columns_10_to_15[2];  // bit 15 clear, set
};

// The tables of one digit plane of one token for one group.
struct GroupTables {
  WordTables word[8];
};

// A stripe of 32 rows, transposed.
struct Panel {
  __m512i words[kStripeGroups * kBlockWords];
  __m512 scales[kStripeGroups][2];  // of rows 0 to 15, 16 to 31
};

struct Scratch {
  GroupTables tables[kMaxPlanes][kStripeGroups];
  std::int16_t minus_sum[kMaxPlanes][kStripeGroups];  // −Σ v
  Panel panels[kMaxPanels];
};

// Lane e of the result: byte 0 = 2 if bit kLowBit of e is set, byte 1 likewise with kHighBit; bit 5
// is never set.
template <int kLowBit, int kHighBit>
__m512i entry_bits() {
  const __m512i entry = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                                         16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i one = _mm512_set1_epi16(1);
  const __m512i low = _mm512_and_si512(_mm512_srli_epi16(entry, kLowBit), one);
  const __m512i high = _mm512_and_si512(_mm512_srli_epi16(entry, kHighBit), one);
  return _mm512_or_si512(_mm512_slli_epi16(low, 1), _mm512_slli_epi16(high, 9));
}

inline __m512i broadcast_pair(const std::int8_t* values) {
  std::int16_t pair;
  __builtin_memcpy(&pair, values, sizeof pair);
  return _mm512_set1_epi16(pair);
}

// tables[g] for the groups of one stripe; values: (num_groups · 128).
inline void build_tables(const std::int8_t* values, std::size_t num_groups, GroupTables* tables,
                         std::int16_t* minus_sum) {
  const __m512i bits_0_1 = entry_bits<0, 1>();
  const __m512i bits_2_3 = entry_bits<2, 3>();
  const __m512i bit_4_first = entry_bits<4, 5>();
  const __m512i bit_0_second = entry_bits<5, 0>();
  const __m512i bits_1_2 = entry_bits<1, 2>();
  const __m512i bits_3_4 = entry_bits<3, 4>();
  const __m512i bit_4_and_set = _mm512_or_si512(bit_4_first, _mm512_set1_epi16(2 << 8));
  for (std::size_t group = 0; group < num_groups; ++group) {
    const std::int8_t* v = values + group * kGroupCols;
    for (std::size_t word = 0; word < 8; ++word, v += 16) {
      WordTables& table = tables[group].word[word];
      __m512i sum = _mm512_maddubs_epi16(bits_0_1, broadcast_pair(v));
      const __m512i pair_4_5 = broadcast_pair(v + 4);
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(bits_2_3, broadcast_pair(v + 2)));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(bit_4_first, pair_4_5));
      table.columns_0_to_4 = sum;
      sum = _mm512_maddubs_epi16(bit_0_second, pair_4_5);
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(bits_1_2, broadcast_pair(v + 6)));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(bits_3_4, broadcast_pair(v + 8)));
      table.columns_5_to_9 = sum;
      const __m512i pair_14_15 = broadcast_pair(v + 14);
      sum = _mm512_maddubs_epi16(bits_0_1, broadcast_pair(v + 10));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(bits_2_3, broadcast_pair(v + 12)));
      table.columns_10_to_15[0] =
          _mm512_add_epi16(sum, _mm512_maddubs_epi16(bit_4_first, pair_14_15));
      table.columns_10_to_15[1] =
          _mm512_add_epi16(sum, _mm512_maddubs_epi16(bit_4_and_set, pair_14_15));
    }
    v = values + group * kGroupCols;
    const __m512i ones = _mm512_set1_epi8(1);
    const __m512i pair_sums =
        _mm512_add_epi16(_mm512_maddubs_epi16(ones, _mm512_loadu_si512(v)),
                         _mm512_maddubs_epi16(ones, _mm512_loadu_si512(v + 64)));
    const __m512i quad_sums = _mm512_madd_epi16(pair_sums, _mm512_set1_epi16(1));
    minus_sum[group] = static_cast<std::int16_t>(-_mm512_reduce_add_epi32(quad_sums));
  }
}

// rows: the first row's blocks of the stripe; num_rows of up to 32 exist (the last is repeated).
inline void load_panel(const std::uint8_t* rows, std::size_t row_bytes, std::size_t num_rows,
                       std::size_t num_groups, Panel* panel) {
  std::size_t row_offset[kPanelRows];
  for (std::size_t row = 0; row < kPanelRows; ++row)
    row_offset[row] = (row < num_rows ? row : num_rows - 1) * row_bytes;
  const std::size_t stripe_bytes = num_groups * kBlockBytes;
  for (std::size_t chunk = 0; chunk < stripe_bytes; chunk += 16) {
    // The last piece of 16 bytes may overlap the one before it, but not the end of the row.
    const std::size_t first = chunk + 16 <= stripe_bytes ? chunk : stripe_bytes - 16;
    __m512i low[4];
    __m512i high[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const __m512i a = Rows16Avx512::load_every_fourth(rows + first, row_offset, i);
      const __m512i b = Rows16Avx512::load_every_fourth(rows + first, row_offset + 16, i);
      low[i] = _mm512_unpacklo_epi16(a, b);
      high[i] = _mm512_unpackhi_epi16(a, b);
    }
    Rows16Avx512::transpose_words(low, panel->words + first / 2);
    Rows16Avx512::transpose_words(high, panel->words + first / 2 + 4);
  }
  for (std::size_t group = 0; group < num_groups; ++group) {
    const __m512i halves = panel->words[group * kBlockWords];
    panel->scales[group][0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves));
    panel->scales[group][1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(halves, 16)));
  }
}

// sums[panel][plane], 32 lanes of 16 bits: Σ ±v over one group.
template <std::size_t kPanels, std::size_t kPlanes>
inline void sum_group(const Scratch& scratch, std::size_t first_plane, std::size_t group,
                      __m512i (&sums)[kPanels][kPlanes]) {
  for (std::size_t p = 0; p < kPanels; ++p)
    for (std::size_t t = 0; t < kPlanes; ++t)
      sums[p][t] = _mm512_set1_epi16(scratch.minus_sum[first_plane + t][group]);
  for (std::size_t word = 0; word < 8; ++word) {
    __m512i bits[kPanels];
    for (std::size_t p = 0; p < kPanels; ++p)
      bits[p] = scratch.panels[p].words[group * kBlockWords + 1 + word];
    for (std::size_t t = 0; t < kPlanes; ++t) {
      const __m512i table = scratch.tables[first_plane + t][group].word[word].columns_0_to_4;
      for (std::size_t p = 0; p < kPanels; ++p)
        sums[p][t] = _mm512_add_epi16(sums[p][t], _mm512_permutexvar_epi16(bits[p], table));
    }
    for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
    for (std::size_t t = 0; t < kPlanes; ++t) {
      const __m512i table = scratch.tables[first_plane + t][group].word[word].columns_5_to_9;
      for (std::size_t p = 0; p < kPanels; ++p)
        sums[p][t] = _mm512_add_epi16(sums[p][t], _mm512_permutexvar_epi16(bits[p], table));
    }
    for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
    for (std::size_t t = 0; t < kPlanes; ++t) {
      const __m512i* table = scratch.tables[first_plane + t][group].word[word].columns_10_to_15;
      for (std::size_t p = 0; p < kPanels; ++p)
        sums[p][t] =
            _mm512_add_epi16(sums[p][t], _mm512_permutex2var_epi16(table[0], bits[p], table[1]));
    }
  }
}

// The 16-bit sums of rows 0 to 15 (even lanes) and 16 to 31 (odd lanes) as Σ weight · value.
inline void combine_planes(const __m512i* plane, bool has_low, __m512i* first, __m512i* second) {
  if (!has_low) {
    *first = _mm512_madd_epi16(plane[0], _mm512_set1_epi32(1));
    *second = _mm512_srai_epi32(plane[0], 16);
    return;
  }
  *first = _mm512_add_epi32(_mm512_madd_epi16(plane[0], _mm512_set1_epi32(255)),
                            _mm512_madd_epi16(plane[1], _mm512_set1_epi32(1)));
  *second = _mm512_add_epi32(_mm512_madd_epi16(plane[0], _mm512_set1_epi32(255 << 16)),
                             _mm512_srai_epi32(plane[1], 16));
}

// Which part of the output a call of accumulate_tile adds to.
struct OutputTile {
  float* out;  // of the tile's first row and token
  std::size_t out_stride;
  std::size_t num_rows;  // rows that exist in the tile's panels
  const float* scales;   // activation scales of the first token and group
  std::size_t scales_stride;
  std::size_t num_groups;
  bool is_first_stripe;
};

// Adds a stripe's part for kTokens tokens and kPanels panels of rows.
template <std::size_t kPanels, std::size_t kTokens, bool kHasLow>
void accumulate_tile(const Scratch& scratch, std::size_t first_token, const OutputTile& tile) {
  constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;
  constexpr std::size_t kHalves = 2 * kPanels;  // of 16 rows
  __m512 total[kTokens][kHalves];
  __mmask16 mask[kHalves];
  for (std::size_t half = 0; half < kHalves; ++half) {
    const std::size_t first_row = 16 * half;
    const std::size_t left = tile.num_rows > first_row ? tile.num_rows - first_row : 0;
    mask[half] = static_cast<__mmask16>(left >= 16 ? 0xFFFFU : (1U << left) - 1U);
    for (std::size_t t = 0; t < kTokens; ++t)
      total[t][half] =
          tile.is_first_stripe
              ? _mm512_setzero_ps()
              : _mm512_maskz_loadu_ps(mask[half], tile.out + t * tile.out_stride + first_row);
  }
  for (std::size_t group = 0; group < tile.num_groups; ++group) {
    __m512i sums[kPanels][kTokens * kTokenPlanes];
    sum_group(scratch, first_token * kTokenPlanes, group, sums);
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m512 scale = _mm512_set1_ps(tile.scales[t * tile.scales_stride + group]);
      for (std::size_t p = 0; p < kPanels; ++p) {
        __m512i dot[2];
        combine_planes(&sums[p][t * kTokenPlanes], kHasLow, &dot[0], &dot[1]);
        for (std::size_t i = 0; i < 2; ++i) {
          const __m512 product = _mm512_mul_ps(scratch.panels[p].scales[group][i], scale);
          total[t][2 * p + i] =
              _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[i]), product, total[t][2 * p + i]);
        }
      }
    }
  }
  for (std::size_t t = 0; t < kTokens; ++t)
    for (std::size_t half = 0; half < kHalves; ++half)
      _mm512_mask_storeu_ps(tile.out + t * tile.out_stride + 16 * half, mask[half], total[t][half]);
}

// All tokens of a tile for kPanels loaded panels.
template <std::size_t kPanels, bool kHasLow>
void accumulate_tokens(const Scratch& scratch, std::size_t num_tokens, OutputTile tile) {
  constexpr std::size_t kTokensAtOnce = kHasLow ? 2 : 4;
  std::size_t token = 0;
  const auto advance = [&](std::size_t count) {
    token += count;
    tile.out += count * tile.out_stride;
    tile.scales += count * tile.scales_stride;
  };
  while (token + kTokensAtOnce <= num_tokens) {
    accumulate_tile<kPanels, kTokensAtOnce, kHasLow>(scratch, token, tile);
    advance(kTokensAtOnce);
  }
  while (token < num_tokens) {
    accumulate_tile<kPanels, 1, kHasLow>(scratch, token, tile);
    advance(1);
  }
}

template <bool kHasLow>
void multiply(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
              float* out, std::size_t out_stride) {
  constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;
  constexpr std::size_t kTileTokens = kMaxPlanes / kTokenPlanes;
  const std::size_t groups = activations.cols / kGroupCols;
  const std::size_t row_bytes = groups * kBlockBytes;
  Scratch scratch;
  for (std::size_t first_group = 0; first_group < groups; first_group += kStripeGroups) {
    const std::size_t num_groups =
        groups - first_group < kStripeGroups ? groups - first_group : kStripeGroups;
    for (std::size_t first_token = 0; first_token < activations.tokens;
         first_token += kTileTokens) {
      const std::size_t left_tokens = activations.tokens - first_token;
      const std::size_t num_tokens = left_tokens < kTileTokens ? left_tokens : kTileTokens;
      for (std::size_t t = 0; t < num_tokens; ++t) {
        const std::size_t offset = (first_token + t) * activations.cols + first_group * kGroupCols;
        const std::size_t plane = t * kTokenPlanes;
        build_tables(activations.high + offset, num_groups, scratch.tables[plane],
                     scratch.minus_sum[plane]);
        if (kHasLow)
          build_tables(activations.low + offset, num_groups, scratch.tables[plane + 1],
                       scratch.minus_sum[plane + 1]);
      }
      OutputTile tile = {.out = out + first_token * out_stride,
                         .out_stride = out_stride,
                         .num_rows = 0,
                         .scales = activations.scales + first_token * groups + first_group,
                         .scales_stride = groups,
                         .num_groups = num_groups,
                         .is_first_stripe = first_group == 0};
      std::size_t row = 0;
      while (row < rows) {
        // Whole tiles of four panels, then single panels.
        const std::size_t panels =
            rows - row >= kMaxPanels * kPanelRows ? kMaxPanels : std::size_t{1};
        const std::size_t left_rows = rows - row;
        tile.num_rows = left_rows < panels * kPanelRows ? left_rows : panels * kPanelRows;
        for (std::size_t p = 0; p < panels; ++p) {
          const std::size_t first_row = p * kPanelRows;
          const std::size_t left = tile.num_rows - first_row;
          load_panel(blocks + (row + first_row) * row_bytes + first_group * kBlockBytes, row_bytes,
                     left < kPanelRows ? left : kPanelRows, num_groups, &scratch.panels[p]);
        }
        if (panels == kMaxPanels)
          accumulate_tokens<kMaxPanels, kHasLow>(scratch, num_tokens, tile);
        else
          accumulate_tokens<1, kHasLow>(scratch, num_tokens, tile);
        row += tile.num_rows;
        tile.out += tile.num_rows;
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
}  // namespace q1_0_avx512
}  // namespace bankai::kernels
