// How a kind of vocabulary spells text: from text without special tokens to ids, and what an id
// stands for. Immutable, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/vocabulary.h"

namespace bankai::model {

class TextCoder {
 public:
  virtual ~TextCoder() = default;

  // Appends the ids of `text`: any bytes, all that is between two special tokens.
  virtual void encode(std::string_view text, std::vector<TokenId>& out) const = 0;
  // What the token stands for. REQUIRES: an id of the vocabulary.
  virtual std::string bytes(TokenId token) const = 0;
  // Whether a text begins with BOS unless the file says otherwise.
  virtual bool adds_bos() const = 0;
};

// find() for every byte, and `unknown` where that has no token. Errors: kBadInput if there is no
// unknown token either.
Result<std::array<TokenId, 256>> find_byte_tokens(
    const std::function<TokenId(std::uint8_t byte)>& find, TokenId unknown);

}  // namespace bankai::model
