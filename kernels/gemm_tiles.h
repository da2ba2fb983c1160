// The loops that the products of packed weights share: which columns, tokens and panels are worked
// on together. A `Tile` type does the arithmetic; in an unnamed namespace for the reason told in
// lanes.h.
//
//   span   groups of columns whose activations are prepared at the same time: all for few tokens
//   tokens up to Tile::kMaxTokens, prepared once for a span
//   panels Tile::kPanels of the weights, with all of a span's columns before the next are begun
//   stripe Tile::kStripeGroups groups of these panels, unpacked once for all tokens
//
// Sums go on from one stripe to the next through `out`, so that groups are added in ascending order
// whatever the sizes are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/panels.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGemmGroupCols = 128;

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Where a stripe's sums go: out[t · out_stride + r].
struct OutputTile {
  float* out;  // of the tile's first row and the first token
  std::size_t out_stride;
  std::size_t num_rows;  // up to 32 · Tile::kPanels
  const float* scales;   // activation scales of the first token and the stripe's first group
  std::size_t scales_stride;
  std::size_t num_groups;   // up to Tile::kStripeGroups
  std::size_t span_groups;  // of the span
  std::size_t groups_left;  // from the stripe's first to the end of the span
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

// The tile's panels from `panel` on, all columns and tokens of the span.
template <typename Tile>
void multiply_panels(const Panels& weights, std::size_t panel, const Activations& activations,
                     const Span& span, float* out, std::size_t out_stride, Tile* tile) {
  const std::size_t groups = activations.cols / kGemmGroupCols;
  const std::size_t stride = panel_bytes(weights.format, weights.cols);
  const std::size_t group_bytes = panel_bytes(weights.format, kGemmGroupCols);
  const std::size_t row = panel * kPanelRows;
  const std::size_t num_rows = smaller(weights.rows - row, Tile::kPanels * kPanelRows);
  std::size_t done = 0;  // groups of the span
  do {                   // at least once: without columns the results are zero
    const std::size_t group = span.first_group + done;
    const std::size_t num_groups = smaller(span.num_groups - done, Tile::kStripeGroups);
    tile->load_stripe(weights.lines + panel * stride + group * group_bytes, stride,
                      num_panels(num_rows), num_groups);
    tile->accumulate(span.num_tokens,
                     {.out = out + span.first_token * out_stride + row,
                      .out_stride = out_stride,
                      .num_rows = num_rows,
                      .scales = activations.scales + span.first_token * groups + group,
                      .scales_stride = groups,
                      .num_groups = num_groups,
                      .span_groups = span.num_groups,
                      .groups_left = span.num_groups - done,
                      .is_first = group == 0,
                      .slot = done,
                      .token_slots = span.slots_per_token});
    done += Tile::kStripeGroups;
  } while (done < span.num_groups);
}

// Tile has, besides the constants kPanels, kStripeGroups, kMaxTokens and kSlots (token groups that
// can be prepared, kMaxTokens · kStripeGroups):
//   set_values(slot, high, low)     prepares 128 activations (low is nullptr for a8)
//   load_stripe(lines, panel_stride, num_panels, num_groups)    unpacks a stripe; panel i of it
//                                   begins at lines + i · panel_stride
//   accumulate(num_tokens, output)  adds the stripe
template <typename Tile>
void multiply_in_tiles(const Panels& weights, const Activations& activations, float* out,
                       std::size_t out_stride) {
  static_assert(Tile::kSlots == Tile::kMaxTokens * Tile::kStripeGroups);
  if (activations.tokens == 0 || weights.rows == 0) return;
  const std::size_t groups = activations.cols / kGemmGroupCols;
  const std::size_t tile_tokens = smaller(activations.tokens, Tile::kMaxTokens);
  const std::size_t span_stripes = Tile::kSlots / tile_tokens / Tile::kStripeGroups;
  const std::size_t span_groups = span_stripes * Tile::kStripeGroups;
  const std::size_t panels = num_panels(weights.rows);
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
      for (std::size_t panel = 0; panel < panels; panel += Tile::kPanels)
        multiply_panels(weights, panel, activations, span, out, out_stride, &tile);
    }
    group += span_groups;
  } while (group < groups);
}

}  // namespace
}  // namespace bankai::kernels
