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

std::size_t num_tokens(const RowsOfSequence& sequences) {
  std::size_t sum = 0;
  for (const auto& [sequence, rows] : sequences) sum += rows.rbegin()->first + 1;
  return sum;
}

void add_item(const Objective& objective, std::size_t item, const RowsOfSequence& sequences,
              ItemBlock& block) {
  block.items.push_back({item, {block.tokens.size(), block.tokens.size() + num_tokens(sequences)}});
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

}  // namespace

std::vector<std::size_t> block_order(const Objective& objective,
                                     std::span<const std::size_t> used) {
  const std::vector<model::TokenId> none;
  const auto sequence_of = [&](const Item& item) -> const std::vector<model::TokenId>& {
    if (item.first_term == item.last_term) return none;
    return objective.sequences[objective.terms[item.first_term].sequence];
  };
  std::vector<std::size_t> order(used.begin(), used.end());
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Item& left = objective.items[a];
    const Item& right = objective.items[b];
    if (left.is_control != right.is_control) return right.is_control;
    if (left.weight != right.weight) return left.weight < right.weight;
    return sequence_of(left) < sequence_of(right);
  });
  return order;
}

std::vector<IndexRange> item_slices(const Objective& objective, std::span<const std::size_t> used) {
  std::vector<IndexRange> slices;
  std::size_t tokens = 0;  // of the last slice
  for (std::size_t i = 0; i < used.size(); ++i) {
    const std::size_t more = num_tokens(rows_of(objective, objective.items[used[i]]));
    if (slices.empty() || tokens + more > kSliceTokens) {
      slices.push_back({i, i});
      tokens = 0;
    }
    slices.back().end = i + 1;
    tokens += more;
  }
  return slices;
}

std::vector<ItemBlock> make_item_blocks(const Objective& objective,
                                        std::span<const std::size_t> used,
                                        std::span<const IndexRange> slices,
                                        std::size_t block_tokens) {
  std::vector<ItemBlock> blocks;
  for (const IndexRange slice : slices) {
    std::vector<RowsOfSequence> rows;
    std::size_t tokens = 0;
    for (std::size_t i = slice.begin; i < slice.end; ++i) {
      rows.push_back(rows_of(objective, objective.items[used[i]]));
      tokens += num_tokens(rows.back());
    }
    if (blocks.empty() || blocks.back().tokens.size() + tokens > block_tokens)
      blocks.emplace_back();
    ItemBlock& block = blocks.back();
    block.slices.push_back({block.tokens.size(), block.tokens.size() + tokens});
    for (std::size_t i = slice.begin; i < slice.end; ++i)
      add_item(objective, used[i], rows[i - slice.begin], block);
  }
  return blocks;
}

}  // namespace bankai::bfs
