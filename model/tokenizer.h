// Tokenisation as GGUF files declare it: byte-level BPE (tokenizer.ggml.model = "gpt2") and
// SentencePiece's BPE ("llama").
// Thread-safe once built. On well-formed UTF-8 equal to llama.cpp's for the supported
// pre-tokenizers (characters newer than the Unicode of the installed PCRE2 aside).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf_file.h"
#include "model/tokenizer_metadata.h"
#include "model/vocabulary.h"

namespace bankai::model {

class Tokenizer {
 public:
  // Owns all it needs; the file may be closed. Messages name file and key.
  // Errors: kBadInput (missing or inconsistent keys, ids outside the vocabulary, duplicate tokens
  // or merges, a byte that no token stands for although the file names no unknown token),
  // kUnsupported (another model or an unknown `pre`, with the list of known ones).
  // Merges whose parts or result are not tokens are left out.
  static Result<Tokenizer> from_gguf(const GgufFile& file);
  static Result<Tokenizer> from_metadata(const TokenizerMetadata& metadata);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Text (any bytes) to ids. `parse_special`: control and unknown tokens in the text are recognised
  // as such; without it text never becomes one. User-defined tokens always are. Adds no BOS.
  // Bytes that are not UTF-8 are encoded byte by byte: if every byte has a token (see above),
  // decode(encode(text)) == text for all bytes. A byte without one becomes the unknown token.
  // SentencePiece: a space is put in front of the text, and behind every special token, if the file
  // does not forbid it; U+2581 becomes a space.
  std::vector<TokenId> encode(std::string_view text, bool parse_special = false) const;
  // Bytes of one token; of all of them in order. Control tokens decode to their own text.
  // REQUIRES: ids of the vocabulary.
  std::string decode(TokenId token) const;
  std::string decode(std::span<const TokenId> tokens) const;

  std::size_t vocabulary_size() const;
  TokenId eos() const;    // -1 if the file names none
  TokenId bos() const;    // -1 if the file names none
  bool adds_bos() const;  // tokenizer.ggml.add_bos_token, else what the pre-tokenizer's models do
  // Ends a generation: eos, end-of-turn and end-of-message tokens as the file declares them, and
  // control tokens with the usual texts of such (<|im_end|>, <|endoftext|>, <|eot_id|>, </s>).
  bool is_end_of_generation(TokenId token) const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bankai::model
