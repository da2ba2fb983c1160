#include "bfs/item_blocks.h"

#include <gtest/gtest.h>

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

TEST(ItemBlocks, hold_every_term_once_at_its_token) {
  const Objective objective = make_objective();
  for (const std::size_t block_tokens : {1U, 30U, 100U, 10000U}) {
    std::multiset<std::size_t> terms;
    std::size_t next_item = 0;
    for (const ItemBlock& block : make_item_blocks(objective, all_items(objective), block_tokens)) {
      EXPECT_TRUE(block.tokens.size() <= block_tokens || block.items.size() == 1);
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

TEST(ItemBlocks, end_sequences_where_their_item_stops_looking) {
  const Objective objective = make_objective();
  for (const ItemBlock& block : make_item_blocks(objective, all_items(objective), 1))
    EXPECT_EQ(block.scored.back().row + 1, block.tokens.size());
}

}  // namespace
}  // namespace bankai::bfs
