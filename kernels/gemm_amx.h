// KernelTable::gemm on tiles of 8-bit integers (AMX-INT8), for 16 tokens and more.
//
//   tokens  up to 304 whose digits stay in the second-level cache
//   panel   32 rows of weights, all columns; its sums with these tokens are kept in scratch
//   stripe  four runs of columns that share their scales, unpacked to bytes once for these tokens
//           (kInt8 has them as bytes already)
//   block   two left and two right tiles: for a8 the digits of 32 tokens, for a16 both planes of
//   16,
//           with the panel's 32 rows
//
// Per block and run the tiles give integers, and a second step multiplies them by the scales and
// adds them to the sums. That step is as long as the first: a tile takes 16 cycles for 64 columns,
// the 16 registers of its result three vector instructions each. So a block's integers go to
// memory, and while the next block is on the tiles, one part in four of the last one is added up
// after each run, with its sums in registers over all runs.
//
// Left tiles are loaded from the activations as they are (quickest where rows begin at a multiple
// of 64 bytes). The last tile of tokens overlaps the one before it rather than being partly empty:
// nothing is read beyond the activations, and what was counted already is not added again.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"
#include "kernels/amx_weights.h"
#include "kernels/kernel_table.h"
#include "kernels/panels.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kTileTokens = kTileRows;

template <typename Tiles, PanelFormat kFormat, bool kHasLow>
class AmxProduct {
 public:
  static constexpr std::size_t kRunCols = panel_format_info(kFormat).run_cols;
  static constexpr std::size_t kDepth = kRunCols < 64 ? kRunCols : 64;  // columns of a left tile

  AmxProduct(const Panels& weights, const Activations& activations, float* out,
             std::size_t out_stride)
      : weights_(weights), activations_(activations), out_(out), out_stride_(out_stride) {}

  void run() {
    const std::size_t tile_tokens = tokens_at_once();
    for (std::size_t token = 0; token < activations_.tokens; token += tile_tokens) {
      first_token_ = token;
      num_tokens_ = smaller(activations_.tokens - token, tile_tokens);
      for (std::size_t panel = 0; panel < num_panels(weights_.rows); ++panel) multiply_panel(panel);
    }
  }

 private:
  static constexpr std::size_t kGroupCols = 128;
  static constexpr std::size_t kGroupRuns = kGroupCols / kRunCols;
  static constexpr std::size_t kRunLines = panel_format_info(kFormat).run_lines;
  static constexpr std::size_t kRuns = 4;  // of a stripe, and parts of a block
  static constexpr std::size_t kStripeGroups = kRuns / kGroupRuns;
  static constexpr std::size_t kSteps = kRunCols / kDepth;
  static constexpr std::size_t kPlanes = kHasLow ? 2 : 1;
  static constexpr std::size_t kBlockTokens = 2 * kTileTokens / kPlanes;
  static constexpr std::size_t kPartTokens = kBlockTokens / 2;
  static constexpr std::size_t kMaxTokens = 304;
  static constexpr std::size_t kDigitBytes = std::size_t{1} << 20U;  // half of the cache

  // The integers of 16 tokens × 16 rows.
  struct Dots {
    alignas(64) std::int32_t values[kTileTokens][16];
  };

  // Integers of a left tile with both halves of the rows, and of a run.
  static constexpr std::size_t kTileDots = 2 * sizeof(Dots) / sizeof(std::int32_t);
  static constexpr std::size_t kRunDots = 2 * kTileDots;

  static std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

  // Whole blocks of tokens, at least one.
  std::size_t tokens_at_once() const {
    const std::size_t fitting = kDigitBytes / (kPlanes * activations_.cols + 1);
    const std::size_t blocks = smaller(fitting, kMaxTokens) / kBlockTokens;
    return (blocks == 0 ? 1 : blocks) * kBlockTokens;
  }

  void multiply_panel(std::size_t panel) {
    __builtin_memset(sums_, 0, num_tokens_ * sizeof sums_[0]);
    const std::uint8_t* lines =
        weights_.lines + panel * panel_bytes(weights_.format, weights_.cols);
    const std::size_t runs = activations_.cols / kRunCols;
    for (std::size_t run = 0; run < runs; run += kRuns) {
      load_stripe(lines + run * kRunLines * kLineBytes, run, smaller(runs - run, kRuns));
      add_stripe();
    }
    const std::size_t row = panel * kPanelRows;
    const std::size_t rows = smaller(weights_.rows - row, kPanelRows);
    for (std::size_t t = 0; t < num_tokens_; ++t)
      __builtin_memcpy(out_ + (first_token_ + t) * out_stride_ + row, sums_[t],
                       rows * sizeof(float));
  }

  void load_stripe(const std::uint8_t* lines, std::size_t first_run, std::size_t num_runs) {
    lines_ = lines;
    first_run_ = first_run;
    num_runs_ = num_runs;
    for (std::size_t run = 0; run < num_runs; ++run, lines += kRunLines * kLineBytes) {
      const __m512i halves = _mm512_load_si512(lines);
      scales_[run][0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves));
      scales_[run][1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(halves, 16)));
      if constexpr (kFormat != PanelFormat::kInt8)
        unpack_bits<kFormat == PanelFormat::kOneBit ? 1 : 2>(lines + kLineBytes, kRunCols,
                                                             weight_tiles_[run]);
    }
    load_steps();
  }

  // Side by side, so that the sums of many tokens find them at fixed distances.
  void load_steps() {
    const std::size_t groups = activations_.cols / kGroupCols;
    const float* from = activations_.scales + first_token_ * groups + first_run_ / kGroupRuns;
    if (num_runs_ == kRuns) {
      for (std::size_t t = 0; t < num_tokens_; ++t, from += groups)
        __builtin_memcpy(steps_[t], from, sizeof steps_[t]);
      return;
    }
    const std::size_t bytes = num_runs_ / kGroupRuns * sizeof(float);
    for (std::size_t t = 0; t < num_tokens_; ++t, from += groups)
      __builtin_memcpy(steps_[t], from, bytes);
  }

  void add_stripe() {
    const std::size_t num_blocks = (num_tokens_ + kBlockTokens - 1) / kBlockTokens;
    for (std::size_t block = 0; block <= num_blocks; ++block) {
      for (std::size_t part = 0; part < kRuns; ++part) {
        if (block < num_blocks && part < num_runs_) multiply_run(block, part);
        if (block > 0) add_part(block - 1, part);
      }
    }
  }

  // The token that the tile which `token` should begin begins with.
  std::size_t tile_start(std::size_t token) const {
    return smaller(token, activations_.tokens - kTileTokens);
  }

  template <int kTile>
  void load_weights(std::size_t run, std::size_t step, std::size_t half) const {
    if constexpr (kFormat == PanelFormat::kInt8)
      Tiles::template load<kTile>(lines_ + (run * kRunLines + 1 + half) * kLineBytes,
                                  2 * kLineBytes);
    else
      Tiles::template load<kTile>(weight_tiles_[run][step].lines[half], kLineBytes);
  }

  // The integers of a block for one run of columns.
  void multiply_run(std::size_t block, std::size_t run) {
    const std::size_t first = first_token_ + block * kBlockTokens;
    const std::size_t end = first_token_ + num_tokens_;
    const bool has_second = kHasLow || first + kTileTokens < end;
    const std::size_t stride = activations_.cols;
    const std::size_t col = (first_run_ + run) * kRunCols;
    const std::int8_t* left[2] = {activations_.high + tile_start(first) * stride + col, nullptr};
    if constexpr (kHasLow)
      left[1] = activations_.low + tile_start(first) * stride + col;
    else if (has_second)
      left[1] = activations_.high + tile_start(first + kTileTokens) * stride + col;
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
    for (std::size_t step = 0; step < kSteps; ++step) {
      load_weights<6>(run, step, 0);
      load_weights<7>(run, step, 1);
      Tiles::template load<4>(left[0] + step * kDepth, stride);
      Tiles::template add_dots<0, 4, 6>();
      Tiles::template add_dots<1, 4, 7>();
      if (!has_second) continue;
      Tiles::template load<5>(left[1] + step * kDepth, stride);
      Tiles::template add_dots<2, 5, 6>();
      Tiles::template add_dots<3, 5, 7>();
    }
    Dots(*dots)[2] = dots_[block % 2][run];
    Tiles::template store<0>(dots[0][0].values, sizeof dots[0][0].values[0]);
    Tiles::template store<1>(dots[0][1].values, sizeof dots[0][1].values[0]);
    if (!has_second) return;
    Tiles::template store<2>(dots[1][0].values, sizeof dots[1][0].values[0]);
    Tiles::template store<3>(dots[1][1].values, sizeof dots[1][1].values[0]);
  }

  // Adds a quarter of a block: half of its tokens with half of the panel's rows.
  void add_part(std::size_t block, std::size_t part) {
    const std::size_t first = block * kBlockTokens;
    const std::size_t token = first + part / 2 * kPartTokens;
    if (token >= num_tokens_) return;
    const std::size_t tile = kHasLow ? 0 : part / 2;
    const std::size_t row =
        first_token_ + token - tile_start(first_token_ + (kHasLow ? first : token));
    const std::size_t count = smaller(kPartTokens, num_tokens_ - token);
    const Dots* dots = &dots_[block % 2][0][tile][part % 2];
    if (count == kPartTokens) {
      add_tokens<kPartTokens>(dots, row, token, part % 2);
      return;
    }
    for (std::size_t t = 0; t < count; ++t) add_tokens<1>(dots, row + t, token + t, part % 2);
  }

  // dots: of the first run; row: of the first token in its tile.
  template <std::size_t kTokens>
  void add_tokens(const Dots* dots, std::size_t row, std::size_t token, std::size_t half) {
    const float* steps = steps_[token];
    const std::int32_t* dot = dots->values[row];
    float* const to = sums_[token] + 16 * half;
    __m512 sums[kTokens];
    for (std::size_t t = 0; t < kTokens; ++t) sums[t] = _mm512_load_ps(to + kPanelRows * t);
    for (std::size_t run = 0; run < num_runs_; ++run, dot += kRunDots) {
      for (std::size_t t = 0; t < kTokens; ++t) {
        __m512i values = _mm512_load_si512(dot + 16 * t);
        if constexpr (kHasLow) {  // 255 · high + low
          values = _mm512_sub_epi32(_mm512_slli_epi32(values, 8), values);
          values = _mm512_add_epi32(values, _mm512_load_si512(dot + kTileDots + 16 * t));
        }
        const __m512 step = _mm512_set1_ps(steps[kStripeGroups * t + run / kGroupRuns]);
        const __m512 scale = _mm512_mul_ps(scales_[run][half], step);
        sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(values), scale, sums[t]);
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t) _mm512_store_ps(to + kPanelRows * t, sums[t]);
  }

  const Panels weights_;
  const Activations activations_;
  float* const out_;
  const std::size_t out_stride_;
  std::size_t first_token_ = 0;
  std::size_t num_tokens_ = 0;
  const std::uint8_t* lines_ = nullptr;  // of the stripe
  std::size_t first_run_ = 0;
  std::size_t num_runs_ = 0;
  __m512 scales_[kRuns][2];  // of rows 0 to 15, 16 to 31
  WeightTiles weight_tiles_[kRuns][kSteps];
  Dots dots_[2][kRuns][2][2];  // of this block and the last: run, left tile, half of the rows
  float steps_[kMaxTokens][kStripeGroups];  // scales of the activations for the stripe's groups
  alignas(64) float sums_[kMaxTokens][kPanelRows];
};

// REQUIRES: activations.tokens >= kTileTokens.
template <typename Tiles, PanelFormat kFormat>
void amx_gemm(const Panels& weights, const Activations& activations, float* out,
              std::size_t out_stride) {
  using Coarse = AmxProduct<Tiles, kFormat, false>;
  using Fine = AmxProduct<Tiles, kFormat, true>;
  Tiles::configure(product_tiles(Coarse::kDepth));
  if (activations.low == nullptr)
    Coarse(weights, activations, out, out_stride).run();
  else
    Fine(weights, activations, out, out_stride).run();
  Tiles::release();
}

}  // namespace
}  // namespace bankai::kernels
