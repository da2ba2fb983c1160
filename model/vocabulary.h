// The tokens of a byte-level BPE or SentencePiece tokenizer: texts as the file spells them, types,
// look-up by text. Owns its bytes. Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::model {

using TokenId = std::int32_t;
inline constexpr TokenId kNoToken = -1;

enum class TokenType : std::uint8_t {  // the values are GGUF's
  kNormal = 1,                         // of byte-level BPE: spelled in the byte alphabet
  kUnknown = 2,
  kControl = 3,      // structure of a conversation; text from outside must not forge it
  kUserDefined = 4,  // found in any text before the pre-tokenizer sees it
  kUnused = 5,       // padding of the vocabulary
  kByte = 6,         // spelled <0xHH>
};

class Vocabulary {
 public:
  // `types` as in tokenizer.ggml.token_type; none at all means that every token is normal.
  // Errors: kBadInput naming the key: no or too many tokens, another number of types, an unknown
  // type, a text that occurs twice, a byte token that is not <0x00> … <0xFF>.
  static Result<Vocabulary> create(std::span<const std::string_view> texts,
                                   std::span<const std::int64_t> types);

  std::size_t size() const { return types_.size(); }
  bool contains(TokenId token) const {
    return token >= 0 && static_cast<std::size_t>(token) < size();
  }
  // REQUIRES (both): contains(token).
  std::string_view text(TokenId token) const;
  TokenType type(TokenId token) const { return types_[static_cast<std::size_t>(token)]; }

  // The token spelled `text`, or kNoToken.
  TokenId find(std::string_view text) const;
  // The same without those that ordinary text must not become: control and unknown tokens.
  TokenId find_plain(std::string_view text) const;
  // The token for one byte: its character of the alphabet, or else <0xHH>; kNoToken if neither is
  // there.
  TokenId find_byte(std::uint8_t byte) const;
  // <0xHH> alone; kNoToken if it is not there as a byte token.
  TokenId find_byte_token(std::uint8_t byte) const;

  // What the token of byte-level BPE stands for: normal and byte tokens bytes, all others (and
  // normal ones with characters from outside the alphabet) their text. REQUIRES: contains(token).
  std::string bytes(TokenId token) const;

 private:
  Vocabulary() = default;
  bool index(TokenId token);  // false if the text is there already

  std::string arena_;                 // all texts, one after the other
  std::vector<std::size_t> offsets_;  // size() + 1
  std::vector<TokenType> types_;
  std::vector<TokenId> slots_;  // open addressing by hash of the text; a power of two
};

}  // namespace bankai::model
