// KernelTable::gemm_q8_0 for any type R of rows side by side (Rows8Avx2, Rows16Avx512).
//
// Weights and activations become 16-bit lanes (255 · high + low fits), so one instruction
// multiplies two columns of every row, and both activation modes cost the same. A 32-bit lane holds
// the columns 0 and 2, or 1 and 3, of four: sign extension then needs shifts only. In an unnamed
// namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_tiles.h"
#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace q8_0 {
namespace {

constexpr std::size_t kBlockCols = 32;
constexpr std::size_t kBlockBytes = 34;
constexpr std::size_t kGroupBlocks = kGemmGroupCols / kBlockCols;
constexpr std::size_t kBlockPairs = kBlockCols / 2;

struct BlockValues {
  std::int16_t pair[kBlockPairs][2];
};

template <typename R>
class Tile {
 public:
  static constexpr std::size_t kStripeGroups = 4;
  static constexpr std::size_t kRows = R::kRows;
  static constexpr std::size_t kMaxTokens = 16;  // 16 KiB of activations
  static constexpr std::size_t kSlots = kMaxTokens * kStripeGroups;
  static constexpr std::size_t kGroupBytes = kGroupBlocks * kBlockBytes;

  void set_values(std::size_t slot, const std::int8_t* high, const std::int8_t* low) {
    const auto value = [&](std::size_t col) {
      return static_cast<std::int16_t>(low == nullptr ? high[col] : 255 * high[col] + low[col]);
    };
    for (std::size_t col = 0; col < kGemmGroupCols; col += 4) {
      std::int16_t(*pair)[2] = &values_[slot][col / kBlockCols].pair[col % kBlockCols / 2];
      pair[0][0] = value(col);
      pair[0][1] = value(col + 2);
      pair[1][0] = value(col + 1);
      pair[1][1] = value(col + 3);
    }
  }

  void load_rows(const std::uint8_t* weights, const std::size_t* row_offset,
                 std::size_t /*num_rows*/, std::size_t num_groups, UpcomingBytes* upcoming) {
    for (std::size_t b = 0; b < num_groups * kGroupBlocks; ++b) {
      upcoming->prefetch(9);
      const std::uint8_t* block = weights + b * kBlockBytes;
      scales_[b] = R::load_scales(block, row_offset);
      for (std::size_t half = 0; half < 2; ++half) {
        Ints words[4];
        R::load_words(block + 2 + 16 * half, row_offset, words);
        for (std::size_t i = 0; i < 4; ++i) {
          weights_[b][8 * half + 2 * i] = R::even_bytes(words[i]);
          weights_[b][8 * half + 2 * i + 1] = R::odd_bytes(words[i]);
        }
      }
    }
  }

  void accumulate(std::size_t num_tokens, OutputTile output) const {
    constexpr std::size_t kTokensAtOnce = 4;
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

  template <std::size_t kTokens>
  void accumulate_tokens(const OutputTile& output) const {
    typename R::Floats total[kTokens];
    for (std::size_t t = 0; t < kTokens; ++t)
      total[t] = output.is_first ? R::zero_floats()
                                 : R::load(output.out + t * output.out_stride, output.num_rows);
    for (std::size_t b = 0; b < output.num_groups * kGroupBlocks; ++b) {
      const std::size_t group = b / kGroupBlocks;
      const BlockValues* values[kTokens];
      Ints dot[kTokens];
      for (std::size_t t = 0; t < kTokens; ++t) {
        values[t] = &values_[output.slot + t * output.token_slots + group][b % kGroupBlocks];
        dot[t] = R::zero();
      }
      for (std::size_t pair = 0; pair < kBlockPairs; ++pair) {
        const Ints weights = weights_[b][pair];
        for (std::size_t t = 0; t < kTokens; ++t)
          dot[t] =
              R::add(dot[t], R::multiply_pairs(weights, R::broadcast_word(values[t]->pair[pair])));
      }
      for (std::size_t t = 0; t < kTokens; ++t)
        total[t] = R::add_scaled(dot[t], scales_[b],
                                 output.scales[t * output.scales_stride + group], total[t]);
    }
    for (std::size_t t = 0; t < kTokens; ++t)
      R::store(output.out + t * output.out_stride, output.num_rows, total[t]);
  }

  BlockValues values_[kSlots][kGroupBlocks];
  Ints weights_[kStripeGroups * kGroupBlocks][kBlockPairs];
  typename R::Floats scales_[kStripeGroups * kGroupBlocks];
};

template <typename R>
void gemm(const std::uint8_t* blocks, std::size_t rows, const Activations& activations, float* out,
          std::size_t out_stride) {
  multiply_in_tiles<Tile<R>>(blocks, rows, activations, out, out_stride);
}

}  // namespace
}  // namespace q8_0
}  // namespace bankai::kernels
