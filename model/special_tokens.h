// Tokens that are found in a text as they stand, before the pre-tokenizer sees it: user-defined
// tokens always, control and unknown tokens only where the caller asks for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/vocabulary.h"

namespace bankai::model {

// Immutable, thread-safe. `vocabulary` must outlive it.
class SpecialTokens {
 public:
  explicit SpecialTokens(const Vocabulary& vocabulary);

  struct Match {
    std::size_t begin = 0;
    std::size_t num_bytes = 0;
    TokenId token = kNoToken;
  };

  // The occurrences that count, from left to right, none overlapping: longer tokens win against
  // shorter ones wherever they are, and of equal length the leftmost wins.
  // Time: positions at which a token could begin × distinct lengths of tokens.
  std::vector<Match> find(std::string_view text, bool parse_control) const;

 private:
  // The texts to look for, by what is needed to look for them.
  struct Wanted {
    std::array<bool, 256> first_byte{};
    std::vector<std::size_t> lengths;  // distinct, longest first
    void add(std::string_view text);
    void finish();
  };
  TokenId token_at(std::string_view text, bool parse_control) const;

  const Vocabulary* vocabulary_;
  Wanted user_defined_;
  Wanted all_;
};

}  // namespace bankai::model
