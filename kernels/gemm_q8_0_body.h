// KernelTable::gemm_q8_0 for any type R of rows side by side (Rows8Avx2, Rows16Avx512).
//
// Weights and activations become 16-bit lanes (255 · high + low fits), so one instruction
// multiplies two columns of every row, and both activation modes cost the same. A 32-bit lane holds
// the columns 0 and 2, or 1 and 3, of four: sign extension then needs shifts only. In an unnamed
// namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace q8_0 {
namespace {

constexpr std::size_t kGroupCols = 128;
constexpr std::size_t kBlockCols = 32;
constexpr std::size_t kBlockBytes = 34;
constexpr std::size_t kGroupBlocks = kGroupCols / kBlockCols;
constexpr std::size_t kBlockPairs = kBlockCols / 2;
constexpr std::size_t kStripeGroups = 4;  // with kTileTokens = 16: 16 KiB of activations
constexpr std::size_t kStripeBlocks = kStripeGroups * kGroupBlocks;
constexpr std::size_t kTileTokens = 16;

struct BlockValues {
  std::int16_t pair[kBlockPairs][2];
};

template <typename R>
struct Scratch {
  BlockValues values[kTileTokens][kStripeBlocks];
  typename R::Ints weights[kStripeBlocks][kBlockPairs];
  typename R::Floats scales[kStripeBlocks];
};

inline void widen_values(const std::int8_t* high, const std::int8_t* low, BlockValues* to) {
  const auto value = [&](std::size_t col) {
    return static_cast<std::int16_t>(low == nullptr ? high[col] : 255 * high[col] + low[col]);
  };
  for (std::size_t col = 0; col < kBlockCols; col += 4) {
    to->pair[col / 2][0] = value(col);
    to->pair[col / 2][1] = value(col + 2);
    to->pair[col / 2 + 1][0] = value(col + 1);
    to->pair[col / 2 + 1][1] = value(col + 3);
  }
}

template <typename R>
void load_weights(const std::uint8_t* blocks, const std::size_t* row_offset, std::size_t num_blocks,
                  Scratch<R>* scratch) {
  for (std::size_t b = 0; b < num_blocks; ++b) {
    const std::uint8_t* block = blocks + b * kBlockBytes;
    scratch->scales[b] = R::load_scales(block, row_offset);
    for (std::size_t half = 0; half < 2; ++half) {
      typename R::Ints words[4];
      R::load_words(block + 2 + 16 * half, row_offset, words);
      for (std::size_t i = 0; i < 4; ++i) {
        scratch->weights[b][8 * half + 2 * i] = R::even_bytes(words[i]);
        scratch->weights[b][8 * half + 2 * i + 1] = R::odd_bytes(words[i]);
      }
    }
  }
}

// Adds a stripe to out[t · out_stride + r], r < num_rows, t < kTokens (starts it for the first).
template <typename R, std::size_t kTokens>
void accumulate(const Scratch<R>& scratch, std::size_t first_token, std::size_t num_blocks,
                const float* scales, std::size_t scales_stride, bool is_first_stripe, float* out,
                std::size_t out_stride, std::size_t num_rows) {
  typename R::Floats total[kTokens];
  for (std::size_t t = 0; t < kTokens; ++t)
    total[t] = is_first_stripe ? R::zero_floats() : R::load(out + t * out_stride, num_rows);
  for (std::size_t b = 0; b < num_blocks; ++b) {
    typename R::Ints dot[kTokens];
    for (std::size_t t = 0; t < kTokens; ++t) dot[t] = R::zero();
    for (std::size_t pair = 0; pair < kBlockPairs; ++pair) {
      const typename R::Ints weights = scratch.weights[b][pair];
      for (std::size_t t = 0; t < kTokens; ++t) {
        const auto value = R::broadcast_word(scratch.values[first_token + t][b].pair[pair]);
        dot[t] = R::add(dot[t], R::multiply_pairs(weights, value));
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      total[t] = R::add_scaled(dot[t], scratch.scales[b],
                               scales[t * scales_stride + b / kGroupBlocks], total[t]);
  }
  for (std::size_t t = 0; t < kTokens; ++t) R::store(out + t * out_stride, num_rows, total[t]);
}

template <typename R>
void gemm(const std::uint8_t* blocks, std::size_t rows, const Activations& activations, float* out,
          std::size_t out_stride) {
  constexpr std::size_t kTokensAtOnce = 4;
  const std::size_t groups = activations.cols / kGroupCols;
  const std::size_t row_bytes = groups * kGroupBlocks * kBlockBytes;
  Scratch<R> scratch;
  const auto smaller = [](std::size_t a, std::size_t b) { return a < b ? a : b; };
  for (std::size_t group = 0; group < groups; group += kStripeGroups) {
    const std::size_t num_blocks = smaller(groups - group, kStripeGroups) * kGroupBlocks;
    for (std::size_t token = 0; token < activations.tokens; token += kTileTokens) {
      const std::size_t num_tokens = smaller(activations.tokens - token, kTileTokens);
      for (std::size_t t = 0; t < num_tokens; ++t) {
        for (std::size_t b = 0; b < num_blocks; ++b) {
          const std::size_t first =
              (token + t) * activations.cols + group * kGroupCols + b * kBlockCols;
          widen_values(activations.high + first,
                       activations.low == nullptr ? nullptr : activations.low + first,
                       &scratch.values[t][b]);
        }
      }
      for (std::size_t row = 0; row < rows; row += R::kRows) {
        const std::size_t num_rows = smaller(rows - row, R::kRows);
        std::size_t row_offset[R::kRows];  // rows that do not exist repeat the last one
        for (std::size_t r = 0; r < R::kRows; ++r)
          row_offset[r] = (row + smaller(r, num_rows - 1)) * row_bytes;
        load_weights(blocks + group * kGroupBlocks * kBlockBytes, row_offset, num_blocks, &scratch);
        for (std::size_t t = 0; t < num_tokens;) {
          float* tile_out = out + (token + t) * out_stride + row;
          const float* scales = activations.scales + (token + t) * groups + group;
          if (num_tokens - t >= kTokensAtOnce) {
            accumulate<R, kTokensAtOnce>(scratch, t, num_blocks, scales, groups, group == 0,
                                         tile_out, out_stride, num_rows);
            t += kTokensAtOnce;
          } else {
            accumulate<R, 1>(scratch, t, num_blocks, scales, groups, group == 0, tile_out,
                             out_stride, num_rows);
            t += 1;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace q8_0
}  // namespace bankai::kernels
