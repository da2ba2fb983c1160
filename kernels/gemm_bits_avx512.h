// KernelTable::gemm of the one- and two-bit formats for AVX-512 (F, BW, DQ, VL), by table look-up.
//
// The signs of a row over c columns choose one of 2^c sums ±v_0 ±v_1 …; all of them fit in
// registers as 16-bit lanes for c = 5 (one register) and c = 6 (two). So a 16-bit word of a panel
// is used up in three look-ups of 5, 5 and 6 columns, each an in-register permutation that serves
// 32 rows: about 170 multiply-adds for a permutation and an addition, against 64 for a VNNI
// instruction. The sums over a group of 128 columns stay below 2^15, so that 16 bits are exact.
//
// A single token takes longer to fetch the weights than to multiply them: the lines of the panels
// that come next are asked for meanwhile, since the hardware does not foresee a walk over several
// panels.
//
// Look-ups give U = Σ 2 v over the bits that are set. One bit: Σ ±v = U − Σ v. Two bits: with U_0,
// U_1 of the planes, Σ (b_0 + 2 b_1 − 1) v = U_0 / 2 + U_1 − Σ v; sums may wrap around on the way.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/panels.h"
#include "kernels/rows_avx512.h"

namespace bankai::kernels {
namespace bits_avx512 {
namespace {

constexpr std::size_t kNumPanels = 4;
constexpr std::size_t kGroupWords = 8;
// Digit planes (a token has one in a8, two in a16) that have tables at the same time, for a stripe:
// 16 · 8 KiB stay in the second-level cache.
constexpr std::size_t kPlanes = 16;
// Groups of columns between what is multiplied and what is asked for.
constexpr std::size_t kFetchAhead = 4;

// U of the 16 columns of one word.
struct WordTables {
  __m512i columns_0_to_4;
  __m512i columns_5_to_9;
  __m512i columns_10_to_15[2];  // bit 15 clear, set
};

// The tables of one digit plane of one token for one group.
struct GroupTables {
  WordTables word[kGroupWords];
  std::int16_t minus_sum[2];  // −Σ v of the first and the last 64 columns
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

inline std::int16_t minus_sum_of_64(const std::int8_t* values) {
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi8(1), _mm512_loadu_si512(values));
  return static_cast<std::int16_t>(
      -_mm512_reduce_add_epi32(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))));
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
  tables->minus_sum[0] = minus_sum_of_64(values);
  tables->minus_sum[1] = minus_sum_of_64(values + 64);
}

// A run of columns with one scale: kWords words of each of kBits planes.
template <std::size_t kBits, std::size_t kWords>
struct Run {
  static constexpr std::size_t kLines = 1 + kBits * kWords;
  static constexpr std::size_t kGroupRuns = kGroupWords / kWords;
  static constexpr std::size_t kGroupLines = kGroupRuns * kLines;

  static std::int16_t minus_sum(const GroupTables& tables, std::size_t run) {
    if constexpr (kWords == kGroupWords)
      return static_cast<std::int16_t>(tables.minus_sum[0] + tables.minus_sum[1]);
    else
      return tables.minus_sum[run];
  }
};

// sums[p][i], 32 lanes of 16 bits: Σ weight · v over one run, by the tables of plane i. A function
// of its own, so that all sums of its loop find a register.
template <typename R, std::size_t kBits, std::size_t kWords, std::size_t kPanels,
          std::size_t kPlanesAtOnce>
[[gnu::noinline]] void sum_run(const __m512i* lines, const __m512i* upcoming,
                               std::size_t panel_stride, std::size_t run,
                               const GroupTables* const* tables, __m512i (*sums)[kPlanesAtOnce]) {
  // With __m512i for the type of the sums GCC 12 would keep two copies of each.
  typedef std::uint16_t Lanes __attribute__((vector_size(64)));
  typedef std::int16_t SignedLanes __attribute__((vector_size(64)));
  Lanes sum[kPanels][kPlanesAtOnce];
  const auto fetch_upcoming = [&](std::size_t line) {
    if (upcoming == nullptr) return;
    for (std::size_t p = 0; p < kPanels; ++p)
      _mm_prefetch(reinterpret_cast<const char*>(upcoming + p * panel_stride + line), _MM_HINT_T1);
  };
  fetch_upcoming(0);
  for (std::size_t p = 0; p < kPanels; ++p)
    for (std::size_t i = 0; i < kPlanesAtOnce; ++i) sum[p][i] = Lanes{};
  for (std::size_t plane = 0; plane < kBits; ++plane) {
    if (plane + 1 == kBits)
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
        const Lanes start =
            __builtin_bit_cast(Lanes, _mm512_set1_epi16(R::minus_sum(*tables[i], run)));
        for (std::size_t p = 0; p < kPanels; ++p) {
          const SignedLanes before = __builtin_bit_cast(SignedLanes, sum[p][i]);
          sum[p][i] = __builtin_bit_cast(Lanes, before >> 1) + start;
        }
      }
    for (std::size_t word = 0; word < kWords; ++word) {
      const __m512i* line = lines + 1 + plane * kWords + word;
      __m512i bits[kPanels];
      for (std::size_t p = 0; p < kPanels; ++p)
        bits[p] = _mm512_load_si512(line + p * panel_stride);
      fetch_upcoming(1 + plane * kWords + word);
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
        const __m512i table = tables[i]->word[run * kWords + word].columns_0_to_4;
        for (std::size_t p = 0; p < kPanels; ++p)
          sum[p][i] += __builtin_bit_cast(Lanes, _mm512_permutexvar_epi16(bits[p], table));
      }
      for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
        const __m512i table = tables[i]->word[run * kWords + word].columns_5_to_9;
        for (std::size_t p = 0; p < kPanels; ++p)
          sum[p][i] += __builtin_bit_cast(Lanes, _mm512_permutexvar_epi16(bits[p], table));
      }
      for (std::size_t p = 0; p < kPanels; ++p) bits[p] = _mm512_srli_epi16(bits[p], 5);
      for (std::size_t i = 0; i < kPlanesAtOnce; ++i) {
        const __m512i* table = tables[i]->word[run * kWords + word].columns_10_to_15;
        for (std::size_t p = 0; p < kPanels; ++p)
          sum[p][i] +=
              __builtin_bit_cast(Lanes, _mm512_permutex2var_epi16(table[0], bits[p], table[1]));
      }
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

template <bool kHasLow, std::size_t kBits, std::size_t kWords>
class Tile {
 public:
  static constexpr std::size_t kStripeGroups = 16;
  static constexpr std::size_t kPanels = kNumPanels;
  static constexpr std::size_t kMaxTokens = kPlanes / (kHasLow ? 2 : 1);
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    build_tables(high, &tables_[slot][0]);
    if constexpr (kHasLow) build_tables(low, &tables_[slot][1]);
  }

  void load_stripe(const std::uint8_t* lines, std::size_t panel_stride, std::size_t /*num_panels*/,
                   std::size_t /*num_groups*/) {
    lines_ = reinterpret_cast<const __m512i*>(lines);
    panel_stride_ = panel_stride / kLineBytes;
  }

  void accumulate(std::size_t num_tokens, const OutputTile& output) const {
    if (output.num_rows > (kNumPanels - 1) * kPanelRows) {
      accumulate_panels<kNumPanels>(lines_, num_tokens, output);
      return;
    }
    OutputTile part = output;
    for (std::size_t p = 0; p * kPanelRows < output.num_rows; ++p) {
      part.num_rows = output.num_rows - p * kPanelRows;
      accumulate_panels<1>(lines_ + p * panel_stride_, num_tokens, part);
      part.out += kPanelRows;
    }
  }

 private:
  using R = Run<kBits, kWords>;
  using Rows = Rows16Avx512;
  static constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;

  template <std::size_t kPanelsAtOnce>
  void accumulate_panels(const __m512i* lines, std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kTokensAtOnce = kHasLow ? 2 : 4;
    bool fetches = true;  // the first tokens do it for all
    for (; num_tokens >= kTokensAtOnce; num_tokens -= kTokensAtOnce) {
      accumulate_tokens<kPanelsAtOnce, kTokensAtOnce>(lines, fetches, output);
      output = output.after_tokens(kTokensAtOnce);
      fetches = false;
    }
    for (; num_tokens > 0; --num_tokens) {
      accumulate_tokens<kPanelsAtOnce, 1>(lines, fetches, output);
      output = output.after_tokens(1);
      fetches = false;
    }
  }

  template <std::size_t kPanelsAtOnce, std::size_t kTokens>
  void accumulate_tokens(const __m512i* lines, bool fetches, const OutputTile& output) const {
    constexpr std::size_t kHalves = 2 * kPanelsAtOnce;  // of 16 rows
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
      // What is multiplied kFetchAhead groups later, in these panels or the next ones.
      const bool is_near_end = output.groups_left - group <= kFetchAhead;
      const __m512i* upcoming = lines + kFetchAhead * R::kGroupLines;
      if (is_near_end)
        upcoming += kPanelsAtOnce * panel_stride_ - output.span_groups * R::kGroupLines;
      for (std::size_t run = 0; run < R::kGroupRuns; ++run, lines += R::kLines) {
        __m512i sums[kPanelsAtOnce][kTokens * kTokenPlanes];
        sum_run<R, kBits, kWords, kPanelsAtOnce, kTokens * kTokenPlanes>(
            lines, fetches ? upcoming + run * R::kLines : nullptr, panel_stride_, run, tables,
            sums);
        for (std::size_t p = 0; p < kPanelsAtOnce; ++p) {
          const __m512i halves = _mm512_load_si512(lines + p * panel_stride_);
          const __m512 scales[2] = {
              _mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves)),
              _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(halves, 16)))};
          for (std::size_t t = 0; t < kTokens; ++t) {
            const float scale = output.scales[t * output.scales_stride + group];
            __m512i dot[2];
            combine_planes<kHasLow>(&sums[p][t * kTokenPlanes], &dot[0], &dot[1]);
            for (std::size_t i = 0; i < 2; ++i)
              total[t][2 * p + i] = Rows::add_scaled(dot[i], scales[i], scale, total[t][2 * p + i]);
          }
        }
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t half = 0; half < kHalves; ++half)
        Rows::store(output.out + t * output.out_stride + half * Rows::kRows, half_rows[half],
                    total[t][half]);
  }

  GroupTables tables_[kSlots][kTokenPlanes];
  const __m512i* lines_;
  std::size_t panel_stride_;  // in lines
};

template <std::size_t kBits, std::size_t kWords>
void gemm(const Panels& weights, const Activations& activations, float* out,
          std::size_t out_stride) {
  if (activations.low != nullptr)
    multiply_in_tiles<Tile<true, kBits, kWords>>(weights, activations, out, out_stride);
  else
    multiply_in_tiles<Tile<false, kBits, kWords>>(weights, activations, out, out_stride);
}

}  // namespace
}  // namespace bits_avx512
}  // namespace bankai::kernels
