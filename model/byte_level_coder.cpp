#include "model/byte_level_coder.h"

#include <utility>

#include "model/byte_alphabet.h"

namespace bankai::model {

ByteLevelCoder::ByteLevelCoder(const Vocabulary& vocabulary, PreTokenizer pre_tokenizer,
                               MergeTable merges, const std::array<TokenId, 256>& byte_tokens)
    : vocabulary_(vocabulary),
      pre_tokenizer_(std::move(pre_tokenizer)),
      merges_(std::move(merges)),
      byte_tokens_(byte_tokens) {}

Result<std::unique_ptr<TextCoder>> ByteLevelCoder::create(const TokenizerMetadata& metadata,
                                                          const Vocabulary& vocabulary) {
  BANKAI_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, PreTokenizer::create(metadata.pre));
  BANKAI_ASSIGN_OR_RETURN(MergeTable merges, MergeTable::create(metadata.merges, vocabulary));
  BANKAI_ASSIGN_OR_RETURN(
      const auto byte_tokens,
      find_byte_tokens([&](std::uint8_t byte) { return vocabulary.find_byte(byte); },
                       metadata.unknown ? static_cast<TokenId>(*metadata.unknown) : kNoToken));
  return std::unique_ptr<TextCoder>(
      new ByteLevelCoder(vocabulary, std::move(pre_tokenizer), std::move(merges), byte_tokens));
}

void ByteLevelCoder::encode(std::string_view text, std::vector<TokenId>& out) const {
  Workspace work{BpeMerger(merges_), {}, {}};
  std::vector<std::string_view> pieces;
  pre_tokenizer_.split(text, pieces);
  for (const std::string_view piece : pieces) encode_piece(piece, work, out);
}

void ByteLevelCoder::encode_piece(std::string_view piece, Workspace& work,
                                  std::vector<TokenId>& out) const {
  if (pre_tokenizer_.rule().whole_words_first) {
    work.spelling.clear();
    append_alphabet_text(piece, work.spelling);
    if (const TokenId token = vocabulary_.find_plain(work.spelling); token != kNoToken) {
      out.push_back(token);
      return;
    }
  }
  work.word.clear();
  for (const char c : piece) work.word.push_back(byte_tokens_[static_cast<std::uint8_t>(c)]);
  work.merger.merge(work.word);
  out.insert(out.end(), work.word.begin(), work.word.end());
}

}  // namespace bankai::model
