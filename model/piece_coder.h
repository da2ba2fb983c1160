// SentencePiece's BPE (tokenizer.ggml.model = "llama"): spaces are written as U+2581, one of them
// in front of the text, and the characters of the text are merged, again and again the pair of
// neighbours whose token has the highest score (of equal scores the leftmost). A character that is
// no token becomes the tokens of its bytes.
#pragma once

#include <array>
#include <memory>

#include "model/text_coder.h"
#include "model/tokenizer_metadata.h"

namespace bankai::model {

class PieceCoder final : public TextCoder {
 public:
  // `vocabulary` must outlive the result. Errors: kBadInput (another number of scores than of
  // tokens, one that is no number, and those of find_byte_tokens).
  static Result<std::unique_ptr<TextCoder>> create(const TokenizerMetadata& metadata,
                                                   const Vocabulary& vocabulary);

  // Each run of bytes that are not UTF-8 is encoded byte by byte. Time O(n log n).
  void encode(std::string_view text, std::vector<TokenId>& out) const override;
  std::string bytes(TokenId token) const override;
  bool adds_bos() const override { return true; }

 private:
  // A run of characters, in a chain; one that was merged into its left neighbour is empty.
  struct Symbol {
    std::string_view text;
    std::size_t previous = 0;
    std::size_t next = 0;
  };
  struct Candidate {
    float score;
    std::size_t left;   // of the symbols
    std::size_t bytes;  // of both together: another number means that one of them has changed
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : left > other.left;
    }
  };

  explicit PieceCoder(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}
  TokenId find(std::string_view text) const;
  void merge(std::vector<Symbol>& symbols) const;

  const Vocabulary& vocabulary_;
  std::vector<float> scores_;
  std::array<TokenId, 256> byte_tokens_{};
  bool adds_space_ = true;
};

}  // namespace bankai::model
