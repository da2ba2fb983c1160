#include "bfs/item_blocks.h"

#include <algorithm>
#include <map>

namespace bankai::bfs {
namespace {

// The terms of an item by sequence and row, both ascending.
using RowsOfSequence = std::map<std::uint32_t, std::map<std::uint32_t, std::vector<std::size_t>>>;

RowsOfSequence rows_of(const Objective& objective, const Item& item) {
  RowsOfSequence rows;
  for (std::size_t i = item.first_term; i < item.last_term; ++i)
    rows[objective.terms[i].sequence][objective.terms[i].row].push_back(i);
  return rows;
}

}  // namespace

std::vector<ItemBlock> make_item_blocks(const Objective& objective,
                                        std::span<const std::size_t> used,
                                        std::size_t block_tokens) {
  std::vector<ItemBlock> blocks;
  for (const std::size_t i : used) {
    const RowsOfSequence sequences = rows_of(objective, objective.items[i]);
    std::size_t num_tokens = 0;
    for (const auto& [sequence, rows] : sequences) num_tokens += rows.rbegin()->first + 1;
    if (blocks.empty() || blocks.back().tokens.size() + num_tokens > block_tokens)
      blocks.emplace_back();
    ItemBlock& block = blocks.back();
    block.items.push_back({i, {block.tokens.size(), block.tokens.size() + num_tokens}});
    for (const auto& [sequence, rows] : sequences) {
      const std::size_t first = block.tokens.size();
      const std::size_t count = rows.rbegin()->first + 1;
      const std::vector<model::TokenId>& inputs = objective.sequences[sequence];
      block.segments.push_back({first, count, nullptr, 0});
      block.tokens.insert(block.tokens.end(), inputs.begin(),
                          inputs.begin() + static_cast<std::ptrdiff_t>(count));
      for (const auto& [row, terms] : rows) block.scored.push_back({first + row, terms});
    }
  }
  return blocks;
}

}  // namespace bankai::bfs
