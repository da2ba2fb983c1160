// An objective's items as blocks of token rows for a pass forward and back.
//
// Every item has sequences of its own here, even where two items share a prompt: the gradient of a
// row then belongs to one item, and so does every sum over a sequence's tokens.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "core/partition.h"
#include "model/transformer.h"

namespace bankai::bfs {

struct ItemBlock {
  struct ScoredRow {
    std::size_t row = 0;             // of the block
    std::vector<std::size_t> terms;  // of the objective
  };
  struct ItemRows {
    std::size_t item = 0;  // of the objective
    IndexRange rows;       // of the block: all sequences of the item
  };
  std::vector<model::TokenId> tokens;
  std::vector<model::Segment> segments;
  std::vector<ScoredRow> scored;  // ascending
  std::vector<ItemRows> items;    // in the order of their rows
  // Runs of whole items of at most kSliceTokens tokens, or of a single item that has more: what
  // goes through a half-layer together on its way back.
  std::vector<IndexRange> slices;
};

inline constexpr std::size_t kSliceTokens = 512;

// The items in the order in which blocks take them: targets, then controls, by weight, and such
// that those that begin alike are neighbours.
std::vector<std::size_t> block_order(const Objective& objective, std::span<const std::size_t> used);

// The slices of the `used` items one after the other, as runs of `used`. They are the same in
// whatever blocks they are.
std::vector<IndexRange> item_slices(const Objective& objective, std::span<const std::size_t> used);

// Blocks of at most `block_tokens` tokens, or of a single slice that has more. A sequence ends with
// the last row that the item looks at: what follows has no effect.
std::vector<ItemBlock> make_item_blocks(const Objective& objective,
                                        std::span<const std::size_t> used,
                                        std::span<const IndexRange> slices,
                                        std::size_t block_tokens);

}  // namespace bankai::bfs
