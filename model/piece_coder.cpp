#include "model/piece_coder.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>

#include "core/format.h"
#include "model/piece_file.h"
#include "model/utf8.h"

namespace bankai::model {
Result<std::unique_ptr<TextCoder>> PieceCoder::create(const TokenizerMetadata& metadata,
                                                      const Vocabulary& vocabulary) {
  if (metadata.scores.size() != vocabulary.size())
    return make_error(ErrorCode::kBadInput,
                      "tokenizer.ggml.scores has %zu scores for the %zu tokens of "
                      "tokenizer.ggml.tokens",
                      metadata.scores.size(), vocabulary.size());
  std::unique_ptr<PieceCoder> coder(new PieceCoder(vocabulary));
  for (const double score : metadata.scores) {
    if (std::isnan(score))
      return make_error(ErrorCode::kBadInput, "tokenizer.ggml.scores: token %zu has no number",
                        coder->scores_.size());
    coder->scores_.push_back(static_cast<float>(score));
  }
  coder->adds_space_ = metadata.adds_space.value_or(true);
  BANKAI_ASSIGN_OR_RETURN(
      coder->byte_tokens_,
      find_byte_tokens([&](std::uint8_t byte) { return vocabulary.find_byte_token(byte); },
                       metadata.unknown ? static_cast<TokenId>(*metadata.unknown) : kNoToken));
  return std::unique_ptr<TextCoder>(std::move(coder));
}

// Bytes, control, unknown and unused tokens are not found by their spelling.
TokenId PieceCoder::find(std::string_view text) const {
  const TokenId token = vocabulary_.find(text);
  if (token == kNoToken) return kNoToken;
  const TokenType type = vocabulary_.type(token);
  return type == TokenType::kNormal || type == TokenType::kUserDefined ? token : kNoToken;
}

void PieceCoder::merge(std::vector<Symbol>& symbols) const {
  const std::size_t end = symbols.size();  // ends the chain on both sides
  std::priority_queue<Candidate> queue;
  const auto both = [&](std::size_t left, std::size_t right) {
    return std::string_view(symbols[left].text.data(),
                            symbols[left].text.size() + symbols[right].text.size());
  };
  const auto propose = [&](std::size_t left) {
    if (left == end || symbols[left].next == end) return;
    const std::string_view text = both(left, symbols[left].next);
    if (const TokenId token = find(text); token != kNoToken)
      queue.push({scores_[static_cast<std::size_t>(token)], left, text.size()});
  };
  for (std::size_t i = 0; i < end; ++i) {
    symbols[i].previous = i == 0 ? end : i - 1;
    symbols[i].next = i + 1;
  }
  for (std::size_t i = 0; i < end; ++i) propose(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    if (left.text.empty() || left.next == end) continue;
    Symbol& right = symbols[left.next];
    if (left.text.size() + right.text.size() != best.bytes) continue;
    left.text = both(best.left, left.next);
    right.text = {};
    left.next = right.next;
    if (left.next != end) symbols[left.next].previous = best.left;
    propose(left.previous);
    propose(best.left);
  }
}

void PieceCoder::encode(std::string_view text, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  std::string marked;
  if (adds_space_) marked += kSpaceMark;
  for (const char c : text)
    if (c == ' ')
      marked += kSpaceMark;
    else
      marked += c;
  std::vector<Symbol> symbols;
  for (std::string_view rest = marked; !rest.empty();
       rest.remove_prefix(symbols.back().text.size()))
    symbols.push_back({rest.substr(0, std::max<std::size_t>(1, utf8_character_bytes(rest)))});
  merge(symbols);
  for (const Symbol& symbol : symbols) {
    if (symbol.text.empty()) continue;
    if (const TokenId token = find(symbol.text); token != kNoToken)
      out.push_back(token);
    else
      for (const char c : symbol.text) out.push_back(byte_tokens_[static_cast<std::uint8_t>(c)]);
  }
}

std::string PieceCoder::bytes(TokenId token) const {
  const TokenType type = vocabulary_.type(token);
  if (type == TokenType::kByte) return vocabulary_.bytes(token);
  std::string text(vocabulary_.text(token));
  if (type != TokenType::kNormal) return text;
  for (std::size_t at = 0; (at = text.find(kSpaceMark, at)) != std::string::npos; ++at)
    text.replace(at, kSpaceMark.size(), " ");
  return text;
}

}  // namespace bankai::model
