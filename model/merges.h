// The merge rules of byte-level BPE: which pair of neighbouring tokens becomes which token, and
// which pair comes first. Owns its rules. Immutable once built, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/vocabulary.h"

namespace bankai::model {

struct MergeRule {
  TokenId left = kNoToken;
  TokenId right = kNoToken;
  TokenId result = kNoToken;
};

class MergeTable {
 public:
  // `lines`: "left right", best first, as in tokenizer.ggml.merges. A rule whose parts or result
  // are not in the vocabulary, or are control or unknown tokens, can never apply and is left out.
  // Errors: kBadInput naming the key: a line without two parts, a pair that occurs twice.
  static Result<MergeTable> create(std::span<const std::string_view> lines,
                                   const Vocabulary& vocabulary);

  // Rules in order of rank, 0 first.
  std::size_t size() const { return rules_.size(); }
  const MergeRule& rule(std::size_t rank) const { return rules_[rank]; }

  // The rank of the rule for this pair, or kNoRank.
  static constexpr std::uint32_t kNoRank = UINT32_MAX;
  std::uint32_t find(TokenId left, TokenId right) const { return slots_[slot_of(left, right)]; }

 private:
  MergeTable() = default;
  std::size_t slot_of(TokenId left, TokenId right) const;

  std::vector<MergeRule> rules_;
  std::vector<std::uint32_t> slots_;  // open addressing by hash of the pair; a power of two
};

}  // namespace bankai::model
