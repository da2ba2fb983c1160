// KernelTable::gemm of the formats of bits by look-ups among 16 bytes, for any type L of them
// (LookupAvx2, LookupNeon).
//
// The bits of a row over four columns choose one of 16 sums of activations. With 512 added, such a
// sum is between 4 and 1020: two digits of five bits, each the result of one byte shuffle that
// serves as many rows as a register has bytes. Eight of them can be added in a byte; so every 32
// columns the two sums of digits become 16-bit lanes, which hold a whole run: the result is within
// ±2^15, and what was added to make digits positive is taken off again modulo 2^16 at the start.
// Two shuffles and two additions thus do 128 multiply-adds in AVX2, where a multiply-add of bytes
// and an addition do 32.
//
// A second plane of bits meets the same tables and counts twice. In an unnamed namespace for the
// reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/panels.h"

namespace bankai::kernels {
namespace lookup {
namespace {

constexpr std::size_t kGroupNibbles = kGemmGroupCols / 4;
constexpr std::size_t kTableBias = 512;
constexpr std::size_t kByteSums = 8;  // digits of up to 31 that fit into a byte when added
constexpr std::size_t kLineNibbles = 4;
// How far ahead weights are asked for, which has no effect past the end: without it a core got half
// of the memory's bandwidth.
constexpr std::size_t kPrefetchBytes = 4096;

template <typename L>
[[gnu::always_inline]] inline void load_nibbles(const std::uint8_t* line,
                                                typename L::Bytes* nibbles) {
  __builtin_prefetch(line + kPrefetchBytes);
  L::load_nibbles(line, nibbles);
}

// kNumBitPlanes: of the weights, 1 or 2. kNumCols: columns that share a scale.
template <std::size_t kNumBitPlanes, std::size_t kNumCols>
struct RunShape {
  static constexpr std::size_t kBitPlanes = kNumBitPlanes;
  static constexpr std::size_t kCols = kNumCols;
  static constexpr std::size_t kPlaneLines = kCols / 16;
  static constexpr std::size_t kLines = 1 + kBitPlanes * kPlaneLines;
  static constexpr std::size_t kNibbles = kCols / 4;
  static constexpr std::size_t kPerGroup = kGemmGroupCols / kCols;
};

// The activations of kSlots token groups as tables, and what is done with them. A unit is the rows
// that a register of bytes serves: a panel or a part of it; Run is a RunShape.
template <typename L, typename Run, bool kHasLow, std::size_t kSlots>
class Tables {
 public:
  using Rows = typename L::Rows;
  using Bytes = typename L::Bytes;
  using Floats = typename Rows::Floats;
  static constexpr std::size_t kTokenPlanes = kHasLow ? 2 : 1;
  static constexpr std::size_t kPanelUnits = kPanelRows / L::kRows;
  static constexpr std::size_t kUnitBytes = kLineBytes / kPanelUnits;
  static constexpr std::size_t kPanelVectors = kPanelRows / Rows::kRows;
  static constexpr std::size_t kUnitVectors = 4;
  static_assert(kUnitVectors * kPanelUnits == kPanelVectors);

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    set_plane(high, &planes_[slot][0]);
    if constexpr (kHasLow) set_plane(low, &planes_[slot][1]);
  }

  // Adds the first token of `output` for some units. Source has nibble(u, bit_plane, i), the i-th
  // of the stripe for unit `unit + u`, and scales(u, run), a panel's. kPlanesAtOnce digit planes
  // share the nibbles while these are in registers.
  template <std::size_t kUnits, std::size_t kPlanesAtOnce, typename Source>
  [[gnu::always_inline]] void accumulate_units(std::size_t unit, const OutputTile& output,
                                               Source source) const {
    Floats total[kUnits][kUnitVectors];
    std::size_t count[kUnits][kUnitVectors];
    for (std::size_t u = 0; u < kUnits; ++u) {
      for (std::size_t i = 0; i < kUnitVectors; ++i) {
        const std::size_t row = first_row(unit + u, i);
        count[u][i] = output.num_rows > row ? output.num_rows - row : 0;
        total[u][i] =
            output.is_first ? Rows::zero_floats() : Rows::load(output.out + row, count[u][i]);
      }
    }
    for (std::size_t run = 0; run < output.num_groups * Run::kPerGroup; ++run) {
      const Plane* planes = planes_[output.slot + run / Run::kPerGroup];
      Words sums[kTokenPlanes][kUnits][2];
      for (std::size_t plane = 0; plane < kTokenPlanes; plane += kPlanesAtOnce)
        sum_run<kUnits, kPlanesAtOnce>(planes + plane, run, source, &sums[plane]);
      const float scale = output.scales[run / Run::kPerGroup];
      for (std::size_t u = 0; u < kUnits; ++u) {
        const Floats* scales = source.scales(u, run) + (unit + u) % kPanelUnits * 2;
        for (std::size_t i = 0; i < kUnitVectors; ++i)
          total[u][i] = Rows::add_scaled(
              dot(sums, u, i), scales[i % 2 + i / 2 * (kPanelVectors / 2)], scale, total[u][i]);
      }
    }
    for (std::size_t u = 0; u < kUnits; ++u)
      for (std::size_t i = 0; i < kUnitVectors; ++i)
        Rows::store(output.out + first_row(unit + u, i), count[u][i], total[u][i]);
  }

 private:
  using Words = typename L::Words;

  // One digit plane (high or low) of one token for one group.
  struct alignas(64) Plane {
    std::uint8_t digits[kGroupNibbles][2][16];  // L::build_tables
    std::int16_t start[Run::kPerGroup];
  };

  static void set_plane(const std::int8_t* values, Plane* to) {
    for (std::size_t i = 0; i < kGroupNibbles; ++i)
      L::build_tables(values + 4 * i, to->digits[i][0]);
    // One plane of bits: 2 Σ_set v − Σ v; two: Σ_set0 v + 2 Σ_set1 v − Σ v.
    constexpr std::size_t kTimesBias = Run::kBitPlanes == 1 ? 2 : 3;
    for (std::size_t run = 0; run < Run::kPerGroup; ++run) {
      auto sum = static_cast<std::int32_t>(kTimesBias * kTableBias * Run::kNibbles);
      for (std::size_t col = 0; col < Run::kCols; ++col) sum += values[run * Run::kCols + col];
      to->start[run] = static_cast<std::int16_t>(-sum);
    }
  }

  // Where the rows of vector i (of four) of a unit begin within the tile.
  static constexpr std::size_t first_row(std::size_t unit, std::size_t i) {
    const std::size_t in_half = (unit % kPanelUnits * 2 + i % 2) * Rows::kRows;
    return unit / kPanelUnits * kPanelRows + i / 2 * (kPanelRows / 2) + in_half;
  }

  // 16-bit sums of a run for each of the digit planes.
  template <std::size_t kUnits, std::size_t kPlanes, typename Source>
  [[gnu::always_inline]] static void sum_run(const Plane* planes, std::size_t run, Source& source,
                                             Words (*sums)[kUnits][2]) {
    for (std::size_t t = 0; t < kPlanes; ++t)
      for (std::size_t u = 0; u < kUnits; ++u)
        for (std::size_t i = 0; i < 2; ++i)
          sums[t][u][i] = L::broadcast_word(planes[t].start[run % Run::kPerGroup]);
    const std::size_t in_group = run % Run::kPerGroup * Run::kNibbles;
    for (std::size_t first = 0; first < Run::kNibbles; first += kByteSums) {
      Bytes low[kPlanes][kUnits][Run::kBitPlanes];
      Bytes high[kPlanes][kUnits][Run::kBitPlanes];
#pragma GCC unroll 8
      for (std::size_t n = 0; n < kByteSums; ++n) {
        Bytes nibble[kUnits][Run::kBitPlanes];
        for (std::size_t u = 0; u < kUnits; ++u)
          for (std::size_t b = 0; b < Run::kBitPlanes; ++b)
            nibble[u][b] = source.nibble(u, b, run * Run::kNibbles + first + n);
        for (std::size_t t = 0; t < kPlanes; ++t) {
          const Bytes low_table = L::load_table(planes[t].digits[in_group + first + n][0]);
          const Bytes high_table = L::load_table(planes[t].digits[in_group + first + n][1]);
          for (std::size_t u = 0; u < kUnits; ++u) {
            for (std::size_t b = 0; b < Run::kBitPlanes; ++b) {
              const Bytes low_digit = L::lookup(low_table, nibble[u][b]);
              const Bytes high_digit = L::lookup(high_table, nibble[u][b]);
              low[t][u][b] = n == 0 ? low_digit : L::add(low[t][u][b], low_digit);
              high[t][u][b] = n == 0 ? high_digit : L::add(high[t][u][b], high_digit);
            }
          }
        }
      }
      for (std::size_t t = 0; t < kPlanes; ++t) {
        for (std::size_t u = 0; u < kUnits; ++u) {
          constexpr std::size_t kLast = Run::kBitPlanes - 1;
          if constexpr (kLast == 1)
            L::template add_digits<1, 32>(low[t][u][0], high[t][u][0], sums[t][u]);
          L::template add_digits<2, 64>(low[t][u][kLast], high[t][u][kLast], sums[t][u]);
        }
      }
    }
  }

  // Σ weight · value of the rows of vector i of a unit.
  template <std::size_t kUnits>
  [[gnu::always_inline]] static typename Rows::Ints dot(const Words (*sums)[kUnits][2],
                                                        std::size_t u, std::size_t i) {
    if constexpr (kHasLow)
      return i < 2 ? L::even_rows(sums[0][u][i % 2], sums[1][u][i % 2])
                   : L::odd_rows(sums[0][u][i % 2], sums[1][u][i % 2]);
    else
      return i < 2 ? L::even_rows(sums[0][u][i % 2]) : L::odd_rows(sums[0][u][i % 2]);
  }

  Plane planes_[kSlots][kTokenPlanes];
};

// For several tokens: the words of a stripe are split into nibbles once.
template <typename L, typename Run, bool kHasLow>
class Tile {
 public:
  static constexpr std::size_t kPanels = 4;
  static constexpr std::size_t kStripeGroups = 4;
  static constexpr std::size_t kMaxTokens = kHasLow ? 16 : 32;  // 128 KiB of tables
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    tables_.set_values(slot, high, low);
  }

  void load_stripe(const std::uint8_t* lines, std::size_t panel_stride, std::size_t num_panels,
                   std::size_t num_groups) {
    for (std::size_t panel = 0; panel < num_panels; ++panel) {
      const std::uint8_t* line = lines + panel * panel_stride;
      for (std::size_t run = 0; run < num_groups * Run::kPerGroup; ++run) {
        T::Rows::load_scales(line, scales_[panel][run]);
        line += kLineBytes;
        for (std::size_t b = 0; b < Run::kBitPlanes; ++b)
          for (std::size_t i = 0; i < Run::kNibbles; i += kLineNibbles, line += kLineBytes)
            for (std::size_t u = 0; u < T::kPanelUnits; ++u)
              load_nibbles<L>(line + u * T::kUnitBytes,
                              &nibbles_[panel * T::kPanelUnits + u][b][run * Run::kNibbles + i]);
      }
    }
  }

  void accumulate(std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kUnitsAtOnce = L::kRegisterUnits / Run::kBitPlanes;
    const std::size_t num_units = num_panels(output.num_rows) * T::kPanelUnits;
    for (std::size_t t = 0; t < num_tokens; ++t) {
      std::size_t unit = 0;
      for (; unit + kUnitsAtOnce <= num_units; unit += kUnitsAtOnce)
        tables_.template accumulate_units<kUnitsAtOnce, 1>(unit, output, Source{this, unit});
      for (; unit < num_units; ++unit)
        tables_.template accumulate_units<1, 1>(unit, output, Source{this, unit});
      output = output.after_tokens(1);
    }
  }

 private:
  using T = Tables<L, Run, kHasLow, kSlots>;

  struct Source {
    const Tile* tile;
    std::size_t unit;

    typename L::Bytes nibble(std::size_t u, std::size_t bit_plane, std::size_t i) const {
      return tile->nibbles_[unit + u][bit_plane][i];
    }
    const typename T::Floats* scales(std::size_t u, std::size_t run) const {
      return tile->scales_[(unit + u) / T::kPanelUnits][run];
    }
  };

  T tables_;
  typename L::Bytes nibbles_[kPanels * T::kPanelUnits][Run::kBitPlanes]
                            [kStripeGroups * kGroupNibbles];
  typename T::Floats scales_[kPanels][kStripeGroups * Run::kPerGroup][T::kPanelVectors];
};

// For one token: nibbles stay in registers, and panels are read from first to last byte, as memory
// likes it.
template <typename L, typename Run, bool kHasLow>
class OneTokenTile {
 public:
  static constexpr std::size_t kPanels = 1;
  static constexpr std::size_t kStripeGroups = 64;
  static constexpr std::size_t kMaxTokens = 1;
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    tables_.set_values(slot, high, low);
  }
  void load_stripe(const std::uint8_t* lines, std::size_t, std::size_t, std::size_t) {
    lines_ = lines;
  }
  void accumulate(std::size_t, const OutputTile& output) const {
    for (std::size_t unit = 0; unit < T::kPanelUnits; ++unit)
      tables_.template accumulate_units<1, kPlanesAtOnce>(
          unit, output, Source{.lines = lines_, .unit = unit, .nibbles = {}, .floats = {}});
  }

 private:
  using T = Tables<L, Run, kHasLow, kSlots>;
  static constexpr std::size_t kPlanesAtOnce = kHasLow && Run::kBitPlanes == 1 ? 2 : 1;

  struct Source {
    const std::uint8_t* lines;
    std::size_t unit;
    typename L::Bytes nibbles[Run::kBitPlanes][kLineNibbles];
    typename T::Floats floats[T::kPanelVectors];

    // REQUIRES: called for i in ascending order.
    [[gnu::always_inline]] typename L::Bytes nibble(std::size_t, std::size_t bit_plane,
                                                    std::size_t i) {
      if (i % kLineNibbles == 0) {
        const std::size_t line = i / Run::kNibbles * Run::kLines + 1 +
                                 bit_plane * Run::kPlaneLines + i % Run::kNibbles / kLineNibbles;
        const std::uint8_t* from = lines + line * kLineBytes + unit * T::kUnitBytes;
        load_nibbles<L>(from, nibbles[bit_plane]);
      }
      return nibbles[bit_plane][i % kLineNibbles];
    }
    [[gnu::always_inline]] const typename T::Floats* scales(std::size_t, std::size_t run) {
      T::Rows::load_scales(lines + run * Run::kLines * kLineBytes, floats);
      return floats;
    }
  };

  T tables_;
  const std::uint8_t* lines_ = nullptr;
};

template <typename L, std::size_t kBitPlanes, std::size_t kRunCols>
void gemm(const Panels& weights, const Activations& activations, float* out,
          std::size_t out_stride) {
  using Run = RunShape<kBitPlanes, kRunCols>;
  const bool has_low = activations.low != nullptr;
  if (activations.tokens == 1 && has_low)
    multiply_in_tiles<OneTokenTile<L, Run, true>>(weights, activations, out, out_stride);
  else if (activations.tokens == 1)
    multiply_in_tiles<OneTokenTile<L, Run, false>>(weights, activations, out, out_stride);
  else if (has_low)
    multiply_in_tiles<Tile<L, Run, true>>(weights, activations, out, out_stride);
  else
    multiply_in_tiles<Tile<L, Run, false>>(weights, activations, out, out_stride);
}

}  // namespace
}  // namespace lookup
}  // namespace bankai::kernels
