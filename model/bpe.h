// Byte-pair encoding of one pre-token: starts from its bytes and merges, again and again, the pair
// of neighbours whose rule comes first (the leftmost such pair), until no rule applies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <queue>
#include <string_view>
#include <vector>

#include "model/merges.h"
#include "model/vocabulary.h"

namespace bankai::model {

// Not thread-safe: it keeps its working memory from word to word. `table` must outlive it.
class BpeMerger {
 public:
  explicit BpeMerger(const MergeTable& table) : table_(&table) {}

  // Merges within `tokens`. Time O(n log n), memory O(n) for n tokens.
  void merge(std::vector<TokenId>& tokens);

 private:
  // A chain over the positions of `tokens`; a merged pair lives on at its left position.
  struct Link {
    std::size_t previous;
    std::size_t next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::size_t left;  // position
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };

  void propose(const std::vector<TokenId>& tokens, std::size_t left);

  const MergeTable* table_;
  std::vector<Link> links_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;
};

}  // namespace bankai::model
