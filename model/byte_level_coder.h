// Byte-level BPE (tokenizer.ggml.model = "gpt2"): a pattern cuts the text into words, and the bytes
// of each are merged by rules.
#pragma once

#include <array>
#include <memory>

#include "model/bpe.h"
#include "model/merges.h"
#include "model/pretokenizer.h"
#include "model/text_coder.h"
#include "model/tokenizer_metadata.h"

namespace bankai::model {

class ByteLevelCoder final : public TextCoder {
 public:
  // `vocabulary` must outlive the result. Errors: those of PreTokenizer, MergeTable and
  // find_byte_tokens.
  static Result<std::unique_ptr<TextCoder>> create(const TokenizerMetadata& metadata,
                                                   const Vocabulary& vocabulary);

  void encode(std::string_view text, std::vector<TokenId>& out) const override;
  std::string bytes(TokenId token) const override { return vocabulary_.bytes(token); }
  bool adds_bos() const override { return pre_tokenizer_.rule().adds_bos; }

 private:
  // The working memory of one call of encode().
  struct Workspace {
    BpeMerger merger;
    std::string spelling;
    std::vector<TokenId> word;
  };

  ByteLevelCoder(const Vocabulary& vocabulary, PreTokenizer pre_tokenizer, MergeTable merges,
                 const std::array<TokenId, 256>& byte_tokens);
  void encode_piece(std::string_view piece, Workspace& work, std::vector<TokenId>& out) const;

  const Vocabulary& vocabulary_;
  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_;
};

}  // namespace bankai::model
