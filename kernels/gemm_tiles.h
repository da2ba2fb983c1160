// The loops that all products of packed weights share: which columns, tokens and rows are worked on
// together. A `Tile` type does the arithmetic; in an unnamed namespace for the reason told in
// lanes.h.
//
//   span   columns whose activations are prepared at the same time: all of them for few tokens
//   tokens up to Tile::kMaxTokens, prepared once for a span
//   rows   Tile::kRows of the weights, with all of a span's columns before the next rows are begun
//   stripe Tile::kStripeGroups groups of these rows, unpacked once for all tokens
//
// Sums go on from one stripe to the next through `out`, so that groups are added in ascending order
// whatever the sizes are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGemmGroupCols = 128;

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Where a stripe's sums go: out[t · out_stride + r].
struct OutputTile {
  float* out;  // of the tile's first row and the first token
  std::size_t out_stride;
  std::size_t num_rows;  // up to Tile::kRows
  const float* scales;   // activation scales of the first token and the stripe's first group
  std::size_t scales_stride;
  std::size_t num_groups;   // up to Tile::kStripeGroups
  bool is_first;            // sums start from zero
  std::size_t slot;         // of the first token and group
  std::size_t token_slots;  // slots from one token to the next

  // The same for the tokens after the first `count`.
  OutputTile after_tokens(std::size_t count) const {
    OutputTile tile = *this;
    tile.out += count * out_stride;
    tile.scales += count * scales_stride;
    tile.slot += count * token_slots;
    return tile;
  }
};

// Brings the part of the next rows that is as long as one stripe of these into the cache.
inline void prefetch_bytes(const std::uint8_t* from, std::size_t first, std::size_t count,
                           std::size_t end) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t i = first; i < smaller(first + count, end); i += kLineBytes)
    __builtin_prefetch(from + i, 0, 2);
}

// Tile has, besides the constants kRows, kStripeGroups, kMaxTokens, kGroupBytes (of weights, per
// row) and kSlots (token groups that can be prepared, kMaxTokens · kStripeGroups):
//   set_values(slot, high, low)          prepares 128 activations (low is nullptr for a8)
//   load_rows(weights, row_offset, num_groups)   unpacks a stripe of kRows rows
//   accumulate(num_tokens, output)       adds the stripe
template <typename Tile>
void multiply_in_tiles(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                       float* out, std::size_t out_stride) {
  static_assert(Tile::kSlots == Tile::kMaxTokens * Tile::kStripeGroups);
  const std::size_t groups = activations.cols / kGemmGroupCols;
  const std::size_t row_bytes = groups * Tile::kGroupBytes;
  const std::size_t tile_tokens = smaller(activations.tokens, Tile::kMaxTokens);
  if (tile_tokens == 0) return;
  const std::size_t span_stripes = Tile::kSlots / tile_tokens / Tile::kStripeGroups;
  const std::size_t span_groups = span_stripes * Tile::kStripeGroups;
  Tile tile;
  // At least one pass: without columns the results are zero.
  for (std::size_t span = 0; span == 0 || span < groups; span += span_groups) {
    const std::size_t span_end = smaller(span + span_groups, groups);
    for (std::size_t token = 0; token < activations.tokens; token += tile_tokens) {
      const std::size_t num_tokens = smaller(activations.tokens - token, tile_tokens);
      for (std::size_t t = 0; t < num_tokens; ++t) {
        for (std::size_t group = span; group < span_end; ++group) {
          const std::size_t first = (token + t) * activations.cols + group * kGemmGroupCols;
          tile.set_values(t * span_groups + group - span, activations.high + first,
                          activations.low == nullptr ? nullptr : activations.low + first);
        }
      }
      for (std::size_t row = 0; row < rows; row += Tile::kRows) {
        const std::size_t num_rows = smaller(rows - row, Tile::kRows);
        std::size_t row_offset[Tile::kRows];  // rows that do not exist repeat the last one
        for (std::size_t r = 0; r < Tile::kRows; ++r)
          row_offset[r] = (row + smaller(r, num_rows - 1)) * row_bytes;
        for (std::size_t group = span; group == span || group < span_end;
             group += Tile::kStripeGroups) {
          const std::size_t num_groups = smaller(span_end - group, Tile::kStripeGroups);
          prefetch_bytes(blocks,
                         (row + Tile::kRows) * row_bytes + group * Tile::kGroupBytes * Tile::kRows,
                         num_groups * Tile::kGroupBytes * Tile::kRows, rows * row_bytes);
          tile.load_rows(blocks + group * Tile::kGroupBytes, row_offset, num_groups);
          tile.accumulate(num_tokens, {.out = out + token * out_stride + row,
                                       .out_stride = out_stride,
                                       .num_rows = num_rows,
                                       .scales = activations.scales + token * groups + group,
                                       .scales_stride = groups,
                                       .num_groups = num_groups,
                                       .is_first = group == 0,
                                       .slot = group - span,
                                       .token_slots = span_groups});
        }
      }
    }
  }
}

}  // namespace
}  // namespace bankai::kernels
