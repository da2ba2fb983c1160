// Token sequences as a tree: what several sequences begin with is there once.
//
// In a causal model the result of a token depends on the tokens before it alone. So one node stands
// for its token in every sequence that passes through it, and is computed once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/tokenizer.h"

namespace bankai::bfs {

class PrefixTree {
 public:
  // Takes sequences in the order of `order`, where those that begin alike should be neighbours: a
  // sequence shares what it has in common with the one before it. Nodes are numbered as they are
  // met, so that a node is larger than its parent.
  PrefixTree(std::span<const std::vector<model::TokenId>> sequences,
             std::span<const std::uint32_t> order);

  std::size_t num_nodes() const { return tokens_.size(); }
  model::TokenId token(std::uint32_t node) const { return tokens_[node]; }
  // The nodes of a sequence's tokens, ascending; empty for a sequence outside of `order`.
  std::span<const std::uint32_t> path(std::uint32_t sequence) const { return paths_[sequence]; }

 private:
  std::vector<model::TokenId> tokens_;             // by node
  std::vector<std::vector<std::uint32_t>> paths_;  // by sequence
};

}  // namespace bankai::bfs
