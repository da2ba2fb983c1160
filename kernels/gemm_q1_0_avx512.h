// KernelTable::gemm_q1_0 for AVX-512 (F, BW, DQ, VL), by table look-up.
//
// A row's weights over c columns choose one of 2^c sums ±v_0 ±v_1 …; all of them fit in registers
// as 16-bit lanes for c = 5 (one register) and c = 6 (two). So a 16-bit word of signs is used up in
// three look-ups of 5, 5 and 6 columns, each an in-register permutation that serves 32 rows: about
// 170 multiply-adds for a permutation and an addition, against 64 for a VNNI instruction. The sums
// over a group of 128 columns stay below 128 · 127 < 2^15, so that 16 bits are exact.
//
// The words of a stripe are transposed once for all tokens so that one register holds the same word
// of 32 rows (a panel): row i in lane 2 i, row 16 + i in lane 2 i + 1.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/rows_avx512.h"

namespace bankai::kernels {
namespace q1_0_avx512 {
namespace {

constexpr std::size_t kBlockWords = 9;    // 16-bit words: the scale, then the signs
constexpr std::size_t kStripeGroups = 4;  // 64 bytes of signs per row
constexpr std::size_t kPanelRows = 32;
constexpr std::size_t kNumPanels = 4;
// Digit planes (a token has one in a8, two in a16) that have tables at the same time, for a stripe:
// 16 · 8 KiB stay in the second-level cache.
constexpr std::size_t kPlanes = 16;

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
  std::int16_t minus_sum;  // −Σ v
};

// A stripe of 32 rows, transposed.
struct Panel {
  __m512i words[kStripeGroups * kBlockWords];
  __m512 scales[kStripeGroups][2];  // of rows 0 to 15, 16 to 31
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

// values: 128 digits of one plane.
inline void build_tables(const std::int8_t* values, GroupTables* tables) {
  const __m512i bits_0_1 = entry_bits<0, 1>();
  const __m512i bits_2_3 = entry_bits<2, 3>();
  const __m512i bit_4_first = entry_bits<4, 5>();
  const __m512i bit_0_second = entry_bits<5, 0>();
  const __m512i bits_1_2 = entry_bits<1, 2>();
  const __m512i bits_3_4 = entry_bits<3, 4>();
  const __m512i bit_4_and_set = _mm512_or_si512(bit_4_first, _mm512_set1_epi16(2 << 8));
  const std::int8_t* v = values;
  for (WordTables& table : tables->word) {
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
    v += 16;
  }
  const __m512i ones = _mm512_set1_epi8(1);
  const __m512i pair_sums =
      _mm512_add_epi16(_mm512_maddubs_epi16(ones, _mm512_loadu_si512(values)),
                       _mm512_maddubs_epi16(ones, _mm512_loadu_si512(values + 64)));
  const __m512i quad_sums = _mm512_madd_epi16(pair_sums, _mm512_set1_epi16(1));
  tables->minus_sum = static_cast<std::int16_t>(-_mm512_reduce_add_epi32(quad_sums));
}

// weights + row_offset[r] is where the stripe of row r begins.
inline void load_panel(const std::uint8_t* weights, const std::size_t* row_offset,
                       std::size_t num_groups, UpcomingBytes* upcoming, Panel* panel) {
  const std::size_t stripe_bytes = num_groups * kBlockWords * 2;
  for (std::size_t chunk = 0; chunk < stripe_bytes; chunk += 16) {
    // The last piece of 16 bytes may overlap the one before it, but not the end of the row.
    const std::size_t first = chunk + 16 <= stripe_bytes ? chunk : stripe_bytes - 16;
    upcoming->prefetch(8);
    __m512i low[4];
    __m512i high[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const __m512i a = Rows16Avx512::load_every_fourth(weights + first, row_offset, i);
      const __m512i b = Rows16Avx512::load_every_fourth(weights + first, row_offset + 16, i);
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

// sums[p][i], 32 lanes of 16 bits: Σ ±v over one group, by the tables of plane i. A function of its
// own, so that all sums of its loop find a register.
template <std::size_t kPanels, std::size_t kPlanesAtOnce>
[[gnu::noinline]] void sum_group(const Panel* panels, std::size_t group,
                                 const GroupTables* const* tables, __m512i (*sums)[kPlanesAtOnce]) {
  // With __m512i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::uint16_t Lanes __attribute__((vector_size(64)));
  Lanes sum[kPanels][kPlanesAtOnce];
  for (std::size_t p = 0; p < kPanels; ++p)
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
      sum[p][i] = __builtin_bit_cast(Lanes, _mm512_set1_epi16(tables[i]->minus_sum));
  for (std::size_t word = 0; word < 8; ++word) {
    __m512i bits[kPanels];
    for (std::size_t p = 0; p < kPanels; ++p)
      bits[p] = panels[p].words[group * kBlockWords + 1 + word];
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
      const __m512i table = tables[i]->word[word].columns_0_to_4;
      for (std::size_t p = 0; p < kPanels; ++p)
        sum[p][i] += __builtin_bit_cast(Lanes, _mm512_permutexvar_epi16(bits[p], table));
    }
    for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
      const __m512i table = tables[i]->word[word].columns_5_to_9;
      for (std::size_t p = 0; p < kPanels; ++p)
        sum[p][i] += __builtin_bit_cast(Lanes, _mm512_permutexvar_epi16(bits[p], table));
    }
    for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
      const __m512i* table = tables[i]->word[word].columns_10_to_15;
      for (std::size_t p = 0; p < kPanels; ++p)
        sum[p][i] +=
            __builtin_bit_cast(Lanes, _mm512_permutex2var_epi16(table[0], bits[p], table[1]));
    }
  }
  for (std::size_t p = 0; p < kPanels; ++p)
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i)
      sums[p][i] = __builtin_bit_cast(__m512i, sum[p][i]);
}

// The 16-bit sums of rows 0 to 15 (even lanes) and 16 to 31 (odd lanes) as Σ weight · value.
template <bool kHasLow>
[[gnu::always_inline]] inline void combine_planes(const __m512i* plane, __m512i* first,
                                                  __m512i* second) {
  if constexpr (kHasLow) {
    *first = _mm512_add_epi32(_mm512_madd_epi16(plane[0], _mm512_set1_epi32(255)),
                              _mm512_madd_epi16(plane[1], _mm512_set1_epi32(1)));
    *second = _mm512_add_epi32(_mm512_madd_epi16(plane[0], _mm512_set1_epi32(255 << 16)),
                               _mm512_srai_epi32(plane[1], 16));
  } else {
    *first = _mm512_madd_epi16(plane[0], _mm512_set1_epi32(1));
    *second = _mm512_srai_epi32(plane[0], 16);
  }
}

template <bool kHasLow>
class Tile {
 public:
  static constexpr std::size_t kStripeGroups = q1_0_avx512::kStripeGroups;
  static constexpr std::size_t kRows = kNumPanels * kPanelRows;
  static constexpr std::size_t kMaxTokens = kPlanes / (kHasLow ? 2 : 1);
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;
  static constexpr std::size_t kGroupBytes = 2 * kBlockWords;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    build_tables(high, &tables_[slot][0]);
    if constexpr (kHasLow) build_tables(low, &tables_[slot][1]);
  }

  void load_rows(const std::uint8_t* weights, const std::size_t* row_offset, std::size_t num_rows,
                 std::size_t num_groups, UpcomingBytes* upcoming) {
    for (std::size_t p = 0; p * kPanelRows < num_rows; ++p)
      load_panel(weights, row_offset + p * kPanelRows, num_groups, upcoming, &panels_[p]);
  }

  void accumulate(std::size_t num_tokens, const OutputTile& output) const {
    if (output.num_rows > kRows - kPanelRows) {
      accumulate_panels<kNumPanels>(0, num_tokens, output);
      return;
    }
    OutputTile part = output;
    for (std::size_t p = 0; p * kPanelRows < output.num_rows; ++p) {
      part.num_rows = output.num_rows - p * kPanelRows;
      accumulate_panels<1>(p, num_tokens, part);
      part.out += kPanelRows;
    }
  }

 private:
  static constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;

  template <std::size_t kPanels>
  void accumulate_panels(std::size_t first_panel, std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kTokensAtOnce = kHasLow ? 2 : 4;
    for (; num_tokens >= kTokensAtOnce; num_tokens -= kTokensAtOnce) {
      accumulate_tokens<kPanels, kTokensAtOnce>(&panels_[first_panel], output);
      output = output.after_tokens(kTokensAtOnce);
    }
    for (; num_tokens > 0; --num_tokens) {
      accumulate_tokens<kPanels, 1>(&panels_[first_panel], output);
      output = output.after_tokens(1);
    }
  }

  template <std::size_t kPanels, std::size_t kTokens>
  void accumulate_tokens(const Panel* panels, const OutputTile& output) const {
    constexpr std::size_t kHalves = 2 * kPanels;  // of 16 rows
    using Rows = Rows16Avx512;
    __m512 total[kTokens][kHalves];
    std::size_t half_rows[kHalves];
    for (std::size_t half = 0; half < kHalves; ++half) {
      const std::size_t first = half * Rows::kRows;
      half_rows[half] = output.num_rows > first ? output.num_rows - first : 0;
      for (std::size_t t = 0; t < kTokens; ++t)
        total[t][half] = output.is_first ? Rows::zero_floats()
                                         : Rows::load(output.out + t * output.out_stride + first,
                                                      half_rows[half]);
    }
    for (std::size_t group = 0; group < output.num_groups; ++group) {
      const GroupTables* tables[kTokens * kTokenPlanes];
      for (std::size_t i = 0; i < kTokens * kTokenPlanes; ++i)
        tables[i] =
            &tables_[output.slot + i / kTokenPlanes * output.token_slots + group][i % kTokenPlanes];
      __m512i sums[kPanels][kTokens * kTokenPlanes];
      sum_group<kPanels, kTokens * kTokenPlanes>(panels, group, tables, sums);
      for (std::size_t t = 0; t < kTokens; ++t) {
        const float scale = output.scales[t * output.scales_stride + group];
        for (std::size_t p = 0; p < kPanels; ++p) {
          __m512i dot[2];
          combine_planes<kHasLow>(&sums[p][t * kTokenPlanes], &dot[0], &dot[1]);
          for (std::size_t i = 0; i < 2; ++i)
            total[t][2 * p + i] =
                Rows::add_scaled(dot[i], panels[p].scales[group][i], scale, total[t][2 * p + i]);
        }
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t half = 0; half < kHalves; ++half)
        Rows::store(output.out + t * output.out_stride + half * Rows::kRows, half_rows[half],
                    total[t][half]);
  }

  GroupTables tables_[kSlots][kTokenPlanes];
  Panel panels_[kNumPanels];
};

inline void gemm(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                 float* out, std::size_t out_stride) {
  if (activations.low != nullptr)
    multiply_in_tiles<Tile<true>>(blocks, rows, activations, out, out_stride);
  else
    multiply_in_tiles<Tile<false>>(blocks, rows, activations, out, out_stride);
}

}  // namespace
}  // namespace q1_0_avx512
}  // namespace bankai::kernels
