#include "bfs/objective_shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "bfs/evaluator.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kContext = 24;

// Probes of several metrics, controls that share sequences with targets, and windows of a text.
Objective mixed_objective(const model::Tokenizer& tokenizer) {
  ObjectiveBuilder builder(tokenizer, kContext);
  const auto add = [&](const std::string& name, Metric metric, bool is_control) {
    for (const Probe& probe : demo_probes(name, 0, 4))
      ASSERT_TRUE(builder.add_probe(probe, metric, 1.0, is_control, {}).ok());
  };
  add("sums.search", Metric::kNll, false);
  add("calculus.search", Metric::kSeqLogprob, false);
  builder.begin_set(1);
  EXPECT_TRUE(builder
                  .add_text("t",
                            "The capital of France is Paris. 2 + 2 = 4. 12 + 30 = 42. Then "
                            "there was a little dog that wanted to play in the garden.",
                            Metric::kNll, 0.5, false)
                  .ok());
  add("sums.search", Metric::kKl, true);
  return std::move(builder).build();
}

TEST(ObjectiveShard, shards_cover_the_items_in_order_and_are_balanced) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  const std::vector<std::uint64_t> tokens = item_tokens(objective);
  ASSERT_EQ(tokens.size(), objective.items.size());
  const auto total = std::accumulate(tokens.begin(), tokens.end(), std::uint64_t{0});
  EXPECT_GE(total, objective.num_tokens()) << "shared sequences count more than once";
  const std::uint64_t largest = *std::max_element(tokens.begin(), tokens.end());
  for (std::size_t shards = 1; shards <= objective.items.size() + 3; ++shards) {
    const std::vector<IndexRange> ranges = item_shards(objective, shards);
    ASSERT_EQ(ranges.size(), shards);
    std::size_t next = 0;
    for (const IndexRange& range : ranges) {
      EXPECT_EQ(range.begin, next);
      next = range.end;
      EXPECT_LE(make_shard(objective, range).num_tokens(), total / shards + 1 + largest);
    }
    EXPECT_EQ(next, objective.items.size());
  }
}

TEST(ObjectiveShard, a_shard_has_its_items_and_the_sequences_they_look_at) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  for (std::size_t begin = 0; begin <= objective.items.size(); ++begin) {
    for (std::size_t end = begin; end <= objective.items.size(); ++end) {
      const Objective shard = make_shard(objective, {begin, end});
      ASSERT_EQ(shard.items.size(), end - begin);
      std::set<std::uint32_t> used;
      std::size_t next_term = 0;
      for (std::size_t i = 0; i < shard.items.size(); ++i) {
        const Item& item = shard.items[i];
        const Item& original = objective.items[begin + i];
        EXPECT_EQ(item.name, original.name);
        EXPECT_EQ(item.weight, original.weight);
        EXPECT_EQ(item.is_control, original.is_control);
        EXPECT_EQ(item.set, original.set);
        ASSERT_EQ(item.first_term, next_term);
        ASSERT_EQ(item.last_term - item.first_term, original.last_term - original.first_term);
        for (; next_term < item.last_term; ++next_term) {
          const Term& term = shard.terms[next_term];
          const Term& old = objective.terms[original.first_term + next_term - item.first_term];
          EXPECT_EQ(term.row, old.row);
          EXPECT_EQ(term.token, old.token);
          EXPECT_EQ(term.coefficient, old.coefficient);
          EXPECT_EQ(shard.sequences[term.sequence], objective.sequences[old.sequence]);
          used.insert(term.sequence);
        }
      }
      EXPECT_EQ(next_term, shard.terms.size());
      EXPECT_EQ(used.size(), shard.sequences.size()) << "no sequence is idle";
    }
  }
}

// Base, state, full evaluations and flips: every score of a shard is that of the whole, bit by bit.
TEST(ObjectiveShard, scores_of_all_shards_are_those_of_the_whole) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  const std::vector<TensorAddress> tensors = layer_tensors({2, 3}, {Projection::kGate});
  const std::vector<patch::Flip> flips = {patch::row_flip(tensors[0], 3),
                                          patch::row_flip(tensors[1], 40),
                                          {tensors[1], 7, patch::FlipKind::kGroup, 1}};
  struct Scores {
    std::vector<double> base, state, flips;
  };
  const auto scores_of = [&](const Objective& part) {
    model::Transformer transformer = make_transformer(demo_model());
    Evaluator evaluator(transformer, part, tensors);
    Scores scores;
    scores.base = {evaluator.base_scores().begin(), evaluator.base_scores().end()};
    scores.state = evaluator.set_state({});
    scores.flips = evaluator.evaluate_flips(flips);
    return scores;
  };
  const Scores whole = scores_of(objective);
  for (const std::size_t shards : {1U, 2U, 3U, 5U, 40U}) {
    const std::vector<IndexRange> ranges = item_shards(objective, shards);
    std::vector<std::vector<double>> base, state, flipped;
    for (const IndexRange range : ranges) {
      Scores part = scores_of(make_shard(objective, range));
      base.push_back(std::move(part.base));
      state.push_back(std::move(part.state));
      flipped.push_back(std::move(part.flips));
    }
    EXPECT_EQ(join_item_scores(base, ranges, 1), whole.base) << shards << " shards";
    EXPECT_EQ(join_item_scores(state, ranges, 1), whole.state);
    EXPECT_EQ(join_item_scores(flipped, ranges, flips.size()), whole.flips);
  }
}

TEST(ObjectiveShard, as_few_ranks_share_the_data_as_memory_allows) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  const auto shards = [&](std::uint64_t token_bytes, std::uint64_t limit, int ranks) {
    return shards_for_memory(objective, token_bytes, limit, ranks);
  };
  EXPECT_EQ(shards(1000, 0, 8).value(), 1) << "no limit";
  EXPECT_EQ(shards(0, 1, 8).value(), 1) << "nothing to keep";
  model::Transformer transformer = make_transformer(demo_model());
  const std::uint64_t nodes = Evaluator(transformer, objective, {}).num_nodes();
  EXPECT_EQ(shards(1000, 1000 * nodes, 8).value(), 1) << "just fits";
  EXPECT_EQ(shards(1000, 1000 * nodes - 1, 8).value() > 1, true);
  const std::vector<std::uint64_t> tokens = item_tokens(objective);
  const std::uint64_t largest = *std::max_element(tokens.begin(), tokens.end());
  int before = 1;
  for (std::uint64_t limit = nodes; limit >= 2 * largest; limit -= 3) {
    const int needed = shards(10, 10 * limit, 1000).value();
    EXPECT_GE(needed, before) << "less memory, more shards";
    before = needed;
    for (const IndexRange items : item_shards(objective, static_cast<std::size_t>(needed))) {
      const Objective part = make_shard(objective, items);
      EXPECT_LE(Evaluator(transformer, part, {}).num_nodes(), limit);
    }
  }
  EXPECT_GT(before, 4);
}

TEST(ObjectiveShard, data_that_do_not_fit_into_all_ranks_are_refused) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  for (const int ranks : {1, 2, 3}) {
    const Result<int> shards = shards_for_memory(objective, 1U << 20U, 5U << 20U, ranks);
    ASSERT_FALSE(shards.ok());
    EXPECT_EQ(shards.error().code, ErrorCode::kUsage);
    EXPECT_NE(shards.error().message.find("the limit of 5.0 MiB"), std::string::npos);
  }
}

TEST(ObjectiveShardDeathTest, ranges_and_shapes_must_fit) {
  const Objective objective = mixed_objective(demo_model().tokenizer());
  EXPECT_DEATH(item_shards(objective, 0), "no shards");
  EXPECT_DEATH(make_shard(objective, {0, objective.items.size() + 1}), "out of range");
  const std::vector<IndexRange> ranges = {{0, 2}, {2, 3}};
  EXPECT_DEATH(join_item_scores(std::vector<std::vector<double>>{{1.0, 2.0}, {}}, ranges, 1),
               "another shape");
}

}  // namespace
}  // namespace bankai::bfs
