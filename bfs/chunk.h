// How an objective's sequences are cut into pieces that go through the model at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "bfs/prefix_tree.h"
#include "model/transformer.h"

namespace bankai::bfs {

// Some sequences, with what they share there once. Its tokens are numbered from 0.
struct Chunk {
  std::vector<std::uint32_t> nodes;  // of the tree, by token
  std::uint32_t first_own_node = 0;  // those before it are in earlier chunks too
  std::vector<model::Segment> segments;
  std::vector<std::uint32_t> sequences;
  // The tokens that terms look at, ascending, their nodes, and the terms of each.
  std::vector<std::size_t> scored;
  std::vector<std::uint32_t> scored_nodes;
  std::vector<std::uint8_t> first_to_score;  // by scored node: no earlier chunk looks at it
  std::vector<std::vector<std::size_t>> terms;
};

// The chosen sequences as neighbours share most: those of targets, then those of controls alone,
// each in lexicographic order.
std::vector<std::uint32_t> evaluation_order(const Objective& objective,
                                            std::span<const std::uint32_t> chosen);

// Chunks of at most `chunk_tokens` tokens, or of one sequence, over the sequences of `order`
// (evaluation_order of some of those in the tree). None mixes sequences of targets and of controls
// alone.
std::vector<Chunk> make_chunks(const Objective& objective, const PrefixTree& tree,
                               std::span<const std::uint32_t> order, std::size_t chunk_tokens);

}  // namespace bankai::bfs
