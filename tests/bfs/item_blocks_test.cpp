#include "bfs/item_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bfs/item_sample.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

// Items that share sequences, have two of them, and look at rows in the middle.
Objective make_objective() {
  ObjectiveBuilder builder(demo_model().tokenizer(), 12);
  for (const Probe& probe : demo_probes("sums.search", 0, 5)) {
    EXPECT_TRUE(builder.add_probe(probe, Metric::kSeqLogprob, 1.0, false, {}).ok());
    EXPECT_TRUE(builder.add_probe(probe, Metric::kTokenGap, 1.0, false, {}).ok());
  }
  EXPECT_TRUE(
      builder.add_text("text", "The capital of France is Paris.", Metric::kNll, 1.0, true).ok());
  return std::move(builder).build();
}

std::vector<ItemBlock> blocks_of(const Objective& objective, std::size_t block_tokens) {
  const std::vector<std::size_t> items = all_items(objective);
  return make_item_blocks(objective, items, item_slices(objective, items), block_tokens);
}

TEST(ItemBlocks, hold_every_term_once_at_its_token) {
  const Objective objective = make_objective();
  for (const std::size_t block_tokens : {1U, 30U, 100U, 10000U}) {
    std::multiset<std::size_t> terms;
    std::size_t next_item = 0;
    for (const ItemBlock& block : blocks_of(objective, block_tokens)) {
      EXPECT_TRUE(block.tokens.size() <= block_tokens || block.slices.size() == 1);
      std::size_t next_row = 0;
      for (const ItemBlock::ItemRows& item : block.items) {
        EXPECT_EQ(item.item, next_item++);
        EXPECT_EQ(item.rows.begin, next_row);
        next_row = item.rows.end;
      }
      EXPECT_EQ(next_row, block.tokens.size());
      for (std::size_t i = 0; i < block.scored.size(); ++i) {
        const ItemBlock::ScoredRow& scored = block.scored[i];
        if (i > 0) {
          EXPECT_LT(block.scored[i - 1].row, scored.row);
        }
        for (const std::size_t index : scored.terms) {
          terms.insert(index);
          const Term& term = objective.terms[index];
          const model::Segment* segment = nullptr;
          for (const model::Segment& candidate : block.segments)
            if (scored.row - candidate.first_token < candidate.num_tokens) segment = &candidate;
          ASSERT_NE(segment, nullptr);
          EXPECT_EQ(scored.row - segment->first_token, term.row);
          for (std::size_t t = 0; t < segment->num_tokens; ++t)
            EXPECT_EQ(block.tokens[segment->first_token + t],
                      objective.sequences[term.sequence][t]);
        }
      }
    }
    EXPECT_EQ(next_item, objective.items.size());
    EXPECT_EQ(terms.size(), objective.terms.size());
    EXPECT_EQ(std::set<std::size_t>(terms.begin(), terms.end()).size(), objective.terms.size());
  }
}

TEST(ItemBlocks, have_the_same_slices_whatever_their_size) {
  const Objective objective = make_objective();
  const std::vector<std::size_t> items = block_order(objective, all_items(objective));
  std::vector<std::size_t> sorted = items;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, all_items(objective));
  for (std::size_t i = 1; i < items.size(); ++i)
    EXPECT_LE(objective.items[items[i - 1]].is_control, objective.items[items[i]].is_control);
  const std::vector<IndexRange> slices = item_slices(objective, items);
  std::vector<std::size_t> expected;  // tokens of the slices
  for (const ItemBlock& block : make_item_blocks(objective, items, slices, 1)) {
    ASSERT_EQ(block.slices.size(), 1U);
    EXPECT_TRUE(block.tokens.size() <= kSliceTokens || block.items.size() == 1);
    expected.push_back(block.tokens.size());
  }
  for (const std::size_t block_tokens : {700U, 100000U}) {
    std::vector<std::size_t> found;
    for (const ItemBlock& block : make_item_blocks(objective, items, slices, block_tokens)) {
      std::size_t next = 0;
      for (const IndexRange slice : block.slices) {
        EXPECT_EQ(slice.begin, next);
        next = slice.end;
        found.push_back(slice.size());
      }
      EXPECT_EQ(next, block.tokens.size());
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(ItemBlocks, end_sequences_where_their_item_stops_looking) {
  const Objective objective = make_objective();
  for (const ItemBlock& block : blocks_of(objective, 1))
    EXPECT_EQ(block.scored.back().row + 1, block.tokens.size());
}

}  // namespace
}  // namespace bankai::bfs
