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

// Weights that come next, asked for in small portions while those before them are unpacked: the
// hardware does not foresee a walk over stripes of many rows, and many requests at once would have
// to wait for each other.
class UpcomingBytes {
 public:
  UpcomingBytes(const std::uint8_t* begin, const std::uint8_t* end) : next_(begin), end_(end) {}

  void prefetch(std::size_t num_lines) {
    constexpr std::ptrdiff_t kLineBytes = 64;
    constexpr int kSecondLevelCache = 2;
    for (std::size_t i = 0; i < num_lines && next_ < end_; ++i) {
      __builtin_prefetch(next_, 0, kSecondLevelCache);
      next_ += end_ - next_ < kLineBytes ? end_ - next_ : kLineBytes;
    }
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

// The columns and tokens that are prepared together.
struct Span {
  std::size_t first_group;
  std::size_t num_groups;  // may be less than slots_per_token in the last span
  std::size_t first_token;
  std::size_t num_tokens;
  std::size_t slots_per_token;
};

template <typename Tile>
void prepare_values(const Activations& activations, const Span& span, Tile* tile) {
  for (std::size_t t = 0; t < span.num_tokens; ++t) {
    for (std::size_t g = 0; g < span.num_groups; ++g) {
      const std::size_t first =
          (span.first_token + t) * activations.cols + (span.first_group + g) * kGemmGroupCols;
      tile->set_values(t * span.slots_per_token + g, activations.high + first,
                       activations.low == nullptr ? nullptr : activations.low + first);
    }
  }
}

// The tile's rows from `row` on, all columns and tokens of the span.
template <typename Tile>
void multiply_rows(const std::uint8_t* blocks, std::size_t row, std::size_t rows,
                   const Activations& activations, const Span& span, float* out,
                   std::size_t out_stride, Tile* tile) {
  const std::size_t groups = activations.cols / kGemmGroupCols;
  const std::size_t row_bytes = groups * Tile::kGroupBytes;
  const std::size_t num_rows = smaller(rows - row, Tile::kRows);
  std::size_t row_offset[Tile::kRows];  // rows that do not exist repeat the last one
  for (std::size_t r = 0; r < Tile::kRows; ++r)
    row_offset[r] = (row + smaller(r, num_rows - 1)) * row_bytes;
  std::size_t done = 0;  // groups of the span
  do {                   // at least once: without columns the results are zero
    const std::size_t group = span.first_group + done;
    const std::size_t num_groups = smaller(span.num_groups - done, Tile::kStripeGroups);
    // As many bytes of the next tile as this stripe has of this one.
    const auto next_tile = [&](std::size_t groups_before) {
      const std::size_t first = (row + Tile::kRows) * row_bytes;
      return blocks +
             smaller(first + groups_before * Tile::kRows * Tile::kGroupBytes, rows * row_bytes);
    };
    UpcomingBytes upcoming(next_tile(group), next_tile(group + num_groups));
    tile->load_rows(blocks + group * Tile::kGroupBytes, row_offset, num_rows, num_groups,
                    &upcoming);
    tile->accumulate(span.num_tokens,
                     {.out = out + span.first_token * out_stride + row,
                      .out_stride = out_stride,
                      .num_rows = num_rows,
                      .scales = activations.scales + span.first_token * groups + group,
                      .scales_stride = groups,
                      .num_groups = num_groups,
                      .is_first = group == 0,
                      .slot = done,
                      .token_slots = span.slots_per_token});
    done += Tile::kStripeGroups;
  } while (done < span.num_groups);
}

// Tile has, besides the constants kRows, kStripeGroups, kMaxTokens, kGroupBytes (of weights, per
// row) and kSlots (token groups that can be prepared, kMaxTokens · kStripeGroups):
//   set_values(slot, high, low)     prepares 128 activations (low is nullptr for a8)
//   load_rows(weights, row_offset, num_rows, num_groups, upcoming)    unpacks a stripe; row_offset
//                                   has kRows entries, of which the first num_rows differ
//   accumulate(num_tokens, output)  adds the stripe
template <typename Tile>
void multiply_in_tiles(const std::uint8_t* blocks, std::size_t rows, const Activations& activations,
                       float* out, std::size_t out_stride) {
  static_assert(Tile::kSlots == Tile::kMaxTokens * Tile::kStripeGroups);
  if (activations.tokens == 0 || rows == 0) return;
  const std::size_t groups = activations.cols / kGemmGroupCols;
  const std::size_t tile_tokens = smaller(activations.tokens, Tile::kMaxTokens);
  const std::size_t span_stripes = Tile::kSlots / tile_tokens / Tile::kStripeGroups;
  const std::size_t span_groups = span_stripes * Tile::kStripeGroups;
  Tile tile;
  std::size_t group = 0;
  do {  // at least once, as above
    for (std::size_t token = 0; token < activations.tokens; token += tile_tokens) {
      const Span span = {.first_group = group,
                         .num_groups = smaller(groups - group, span_groups),
                         .first_token = token,
                         .num_tokens = smaller(activations.tokens - token, tile_tokens),
                         .slots_per_token = span_groups};
      prepare_values(activations, span, &tile);
      for (std::size_t row = 0; row < rows; row += Tile::kRows)
        multiply_rows(blocks, row, rows, activations, span, out, out_stride, &tile);
    }
    group += span_groups;
  } while (group < groups);
}

}  // namespace
}  // namespace bankai::kernels
