// The prefix tree and the chunks that are cut from it.
#include "bfs/chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/counter_rng.h"

namespace bankai::bfs {
namespace {

using model::TokenId;
using Sequence = std::vector<TokenId>;

// Different sequences of a few tokens of three, so that many begin alike; terms at random rows.
Objective random_objective(std::uint64_t seed) {
  const CounterRng rng(seed);
  std::uint64_t next = 0;
  std::set<Sequence> sequences;
  for (std::uint64_t count = 1 + rng.below(next++, 40); sequences.size() < count;) {
    Sequence sequence;
    for (std::uint64_t length = 1 + rng.below(next++, 9); sequence.size() < length;)
      sequence.push_back(static_cast<TokenId>(rng.below(next++, 3)));
    sequences.insert(sequence);
  }
  Objective objective;
  for (const Sequence& sequence : sequences)  // in an order that is not the sorted one
    objective.sequences.insert(
        objective.sequences.begin() +
            static_cast<std::ptrdiff_t>(rng.below(next++, objective.sequences.size() + 1)),
        sequence);
  for (std::size_t item = 0; item < 30; ++item) {
    const std::size_t first = objective.terms.size();
    for (std::uint64_t count = rng.below(next++, 4); count > 0; --count) {
      const auto sequence =
          static_cast<std::uint32_t>(rng.below(next++, objective.sequences.size()));
      const auto row =
          static_cast<std::uint32_t>(rng.below(next++, objective.sequences[sequence].size()));
      objective.terms.push_back({sequence, row, 0, 1.0});
    }
    objective.items.push_back(
        {"item", 1.0, rng.below(next++, 2) == 0, first, objective.terms.size()});
  }
  return objective;
}

std::vector<std::uint32_t> every(std::uint32_t step, const Objective& objective) {
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < objective.sequences.size(); i += step) chosen.push_back(i);
  return chosen;
}

TEST(PrefixTree, has_one_node_for_every_prefix_of_sorted_sequences) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Objective objective = random_objective(seed);
    objective.items.clear();  // no targets: one order for all
    const std::vector<std::uint32_t> all = every(1, objective);
    const PrefixTree tree(objective.sequences, evaluation_order(objective, all));
    std::map<Sequence, std::uint32_t> node_of;
    for (const std::uint32_t i : all) {
      const Sequence& sequence = objective.sequences[i];
      const auto path = tree.path(i);
      ASSERT_EQ(path.size(), sequence.size());
      for (std::size_t t = 0; t < path.size(); ++t) {
        ASSERT_EQ(tree.token(path[t]), sequence[t]);
        if (t > 0) {
          ASSERT_LT(path[t - 1], path[t]);
        }
        const Sequence prefix(sequence.begin(), sequence.begin() + static_cast<int>(t) + 1);
        ASSERT_EQ(node_of.try_emplace(prefix, path[t]).first->second, path[t]);
      }
    }
    EXPECT_EQ(node_of.size(), tree.num_nodes());
  }
}

// The nodes that a token of a chunk attends to, by the segments alone.
std::vector<std::uint32_t> visible(const Chunk& chunk, std::size_t index, std::size_t count) {
  const model::Segment& segment = chunk.segments[index];
  std::vector<std::uint32_t> nodes;
  if (segment.parent != model::Segment::kNoParent) {
    EXPECT_LT(segment.parent, index);
    const model::Segment& parent = chunk.segments[segment.parent];
    EXPECT_LE(segment.past, parent.past + parent.num_tokens);
    nodes = visible(chunk, segment.parent, parent.num_tokens);
    nodes.resize(segment.past);
  } else {
    EXPECT_EQ(segment.past, 0U);
  }
  for (std::size_t i = 0; i < count; ++i) nodes.push_back(chunk.nodes[segment.first_token + i]);
  return nodes;
}

TEST(Chunk, every_term_is_read_behind_its_own_prefix) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Objective objective = random_objective(seed);
    const PrefixTree tree(objective.sequences, evaluation_order(objective, every(1, objective)));
    for (const std::uint32_t step : {1U, 2U, 5U})
      for (const std::size_t limit : {1U, 7U, 1000U}) {
        const std::vector<std::uint32_t> chosen = every(step, objective);
        std::set<std::size_t> terms_left;
        for (std::size_t i = 0; i < objective.terms.size(); ++i)
          if (objective.terms[i].sequence % step == 0) terms_left.insert(i);
        for (const Chunk& chunk :
             make_chunks(objective, tree, evaluation_order(objective, chosen), limit)) {
          ASSERT_TRUE(chunk.nodes.size() <= limit || chunk.sequences.size() == 1);
          ASSERT_EQ(std::set(chunk.nodes.begin(), chunk.nodes.end()).size(), chunk.nodes.size());
          std::size_t next_token = 0;
          std::map<std::size_t, std::vector<std::uint32_t>> prefix_of;  // by token
          for (std::size_t s = 0; s < chunk.segments.size(); ++s) {
            const model::Segment& segment = chunk.segments[s];
            ASSERT_EQ(segment.first_token, next_token);
            next_token += segment.num_tokens;
            for (std::size_t i = 0; i < segment.num_tokens; ++i)
              prefix_of[segment.first_token + i] = visible(chunk, s, i + 1);
          }
          ASSERT_EQ(next_token, chunk.nodes.size());
          ASSERT_TRUE(std::is_sorted(chunk.scored.begin(), chunk.scored.end()));
          for (std::size_t i = 0; i < chunk.scored.size(); ++i) {
            ASSERT_EQ(chunk.scored_nodes[i], chunk.nodes[chunk.scored[i]]);
            for (const std::size_t term : chunk.terms[i]) {
              ASSERT_EQ(terms_left.erase(term), 1U);
              const auto path =
                  tree.path(objective.terms[term].sequence).first(objective.terms[term].row + 1);
              ASSERT_EQ(prefix_of[chunk.scored[i]],
                        std::vector<std::uint32_t>(path.begin(), path.end()));
            }
          }
        }
        ASSERT_TRUE(terms_left.empty());
      }
  }
}

TEST(Chunk, every_node_that_matters_belongs_to_one_chunk) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Objective objective = random_objective(seed);
    const auto order = evaluation_order(objective, every(1, objective));
    const PrefixTree tree(objective.sequences, order);
    std::set<std::uint32_t> seen;
    for (const Chunk& chunk : make_chunks(objective, tree, order, 6))
      for (const std::uint32_t node : chunk.nodes)
        ASSERT_EQ(seen.insert(node).second, node >= chunk.first_own_node);
  }
}

TEST(Chunk, targets_come_first_and_are_not_mixed_with_controls) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Objective objective = random_objective(seed);
    const auto order = evaluation_order(objective, every(1, objective));
    const PrefixTree tree(objective.sequences, order);
    std::vector<bool> is_target(objective.sequences.size());
    for (const Item& item : objective.items)
      for (std::size_t i = item.first_term; i < item.last_term; ++i)
        if (!item.is_control) is_target[objective.terms[i].sequence] = true;
    bool controls_began = false;
    for (const Chunk& chunk : make_chunks(objective, tree, order, 12)) {
      for (const std::uint32_t sequence : chunk.sequences)
        ASSERT_EQ(is_target[sequence], is_target[chunk.sequences.front()]);
      controls_began = controls_began || !is_target[chunk.sequences.front()];
      ASSERT_EQ(is_target[chunk.sequences.front()], !controls_began);
    }
  }
}

}  // namespace
}  // namespace bankai::bfs
