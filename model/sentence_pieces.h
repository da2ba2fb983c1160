// SentencePiece vocabularies (.model files), by the library of that name, and the count of bytes
// that the parameter-golf field takes for a token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/vocabulary.h"

namespace bankai::model {

class SentencePieces {
 public:
  // `bytes`: the content of a .model file. Errors: kBadInput.
  static Result<SentencePieces> read(std::string_view bytes);

  SentencePieces(SentencePieces&&) noexcept;
  SentencePieces& operator=(SentencePieces&&) noexcept;
  ~SentencePieces();

  std::size_t size() const;
  TokenId bos() const;  // -1 if there is none
  // The ids of a text, by the vocabulary's own rules; no BOS in front. Errors: kBadInput.
  Result<std::vector<TokenId>> encode(std::string_view text) const;

  // The bytes that a token adds to a text: those of its piece, U+2581 as a space; a byte token's
  // byte. None for control, unknown and unused tokens and ids beyond the vocabulary.
  std::string decode(TokenId token) const;
  // Does the token begin or end a text?
  bool is_control(TokenId token) const;

  // The bytes that the field counts for `token` after `previous`: those of the piece without a
  // leading U+2581, and one for that mark unless `previous` is a boundary. A byte token counts 1;
  // control, unknown and unused tokens, and ids beyond the vocabulary, count 0 and are the
  // boundary.
  std::size_t counted_bytes(TokenId token, TokenId previous) const;

 private:
  struct State;
  explicit SentencePieces(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bankai::model
