// KernelTable::gemm of int8 panels for any type R of rows side by side (Rows8Avx2, Rows16Avx512,
// Rows4Neon).
//
// Weights and activations become 16-bit lanes (255 · high + low fits), so one instruction
// multiplies two columns of every row, and both activation modes cost the same. A pair is the
// columns 0 and 2, or 1 and 3, of four: sign extension then needs shifts only. In an unnamed
// namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/panels.h"

namespace bankai::kernels {
namespace int8 {
namespace {

constexpr std::size_t kRunCols = 32;
constexpr std::size_t kRunLines = 17;
constexpr std::size_t kGroupRuns = kGemmGroupCols / kRunCols;
constexpr std::size_t kRunPairs = kRunCols / 2;

struct RunValues {
  std::int16_t pair[kRunPairs][2];
};

template <typename R>
class Tile {
 public:
  static constexpr std::size_t kPanels = 1;  // read from first to last byte, as memory likes it
  static constexpr std::size_t kStripeGroups = 1;
  static constexpr std::size_t kMaxTokens = 32;  // 8 KiB of activations
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    const auto value = [&](std::size_t col) {
      return static_cast<std::int16_t>(low == nullptr ? high[col] : 255 * high[col] + low[col]);
    };
    for (std::size_t col = 0; col < kGemmGroupCols; col += 4) {
      std::int16_t(*pair)[2] = &values_[slot][col / kRunCols].pair[col % kRunCols / 2];
      pair[0][0] = value(col);
      pair[0][1] = value(col + 2);
      pair[1][0] = value(col + 1);
      pair[1][1] = value(col + 3);
    }
  }

  void load_stripe(const std::uint8_t* line, std::size_t /*panel_stride*/,
                   std::size_t /*num_panels*/, std::size_t num_groups) {
    constexpr std::size_t kVectorBytes = 4 * R::kRows;
    for (std::size_t run = 0; run < num_groups * kGroupRuns; ++run) {
      R::load_scales(line, scales_[run]);
      line += kLineBytes;
      for (std::size_t quad = 0; quad < kRunCols / 4; ++quad, line += 2 * kLineBytes)
        for (std::size_t i = 0; i < kVectors; ++i)
          R::load_pairs(line + i * kVectorBytes, &weights_[run][2 * quad][i],
                        &weights_[run][2 * quad + 1][i]);
    }
  }

  void accumulate(std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kTokensAtOnce = R::kTokensAtOnce;
    for (; num_tokens >= kTokensAtOnce; num_tokens -= kTokensAtOnce) {
      accumulate_tokens<kTokensAtOnce>(output);
      output = output.after_tokens(kTokensAtOnce);
    }
    for (; num_tokens > 0; --num_tokens) {
      accumulate_tokens<1>(output);
      output = output.after_tokens(1);
    }
  }

 private:
  using Ints = typename R::Ints;
  using Weights = typename R::Weights;
  static constexpr std::size_t kVectors = kPanelRows / R::kRows;

  template <std::size_t kTokens>
  void accumulate_tokens(const OutputTile& output) const {
    typename R::Floats total[kTokens][kVectors];
    std::size_t count[kVectors];
    for (std::size_t i = 0; i < kVectors; ++i) {
      const std::size_t row = i * R::kRows;
      count[i] = output.num_rows > row ? output.num_rows - row : 0;
      for (std::size_t t = 0; t < kTokens; ++t)
        total[t][i] = output.is_first ? R::zero_floats()
                                      : R::load(output.out + t * output.out_stride + row, count[i]);
    }
    for (std::size_t run = 0; run < output.num_groups * kGroupRuns; ++run) {
      const std::size_t group = run / kGroupRuns;
      const RunValues* values[kTokens];
      for (std::size_t t = 0; t < kTokens; ++t)
        values[t] = &values_[output.slot + t * output.token_slots + group][run % kGroupRuns];
      Ints dot[kTokens][kVectors];
      sum_run<kTokens>(weights_[run], values, dot);
      for (std::size_t t = 0; t < kTokens; ++t)
        for (std::size_t i = 0; i < kVectors; ++i)
          total[t][i] = R::add_scaled(dot[t][i], scales_[run][i],
                                      output.scales[t * output.scales_stride + group], total[t][i]);
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t i = 0; i < kVectors; ++i)
        R::store(output.out + t * output.out_stride + i * R::kRows, count[i], total[t][i]);
  }

  // Σ weight · value over a run. A function of its own, so that all sums of its loop find a
  // register.
  template <std::size_t kTokens>
  [[gnu::noinline]] static void sum_run(const Weights (*weights)[kVectors],
                                        const RunValues* const* values, Ints (*dot)[kVectors]) {
    Ints sum[kTokens][kVectors];
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t i = 0; i < kVectors; ++i) sum[t][i] = R::zero();
    for (std::size_t pair = 0; pair < kRunPairs; ++pair) {
      typename R::Pair value[kTokens];
      for (std::size_t t = 0; t < kTokens; ++t) value[t] = R::broadcast_pair(values[t]->pair[pair]);
      for (std::size_t i = 0; i < kVectors; ++i)
        for (std::size_t t = 0; t < kTokens; ++t)
          sum[t][i] = R::add_pairs(sum[t][i], weights[pair][i], value[t]);
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t i = 0; i < kVectors; ++i) dot[t][i] = sum[t][i];
  }

  RunValues values_[kSlots][kGroupRuns];
  Weights weights_[kStripeGroups * kGroupRuns][kRunPairs][kVectors];
  typename R::Floats scales_[kStripeGroups * kGroupRuns][kVectors];
};

template <typename R>
void gemm(const Panels& weights, const Activations& activations, float* out,
          std::size_t out_stride) {
  multiply_in_tiles<Tile<R>>(weights, activations, out, out_stride);
}

}  // namespace
}  // namespace int8
}  // namespace bankai::kernels
