#include "model/special_tokens.h"

#include <algorithm>
#include <functional>

namespace bankai::model {

void SpecialTokens::Wanted::add(std::string_view text) {
  if (text.empty()) return;
  first_byte[static_cast<std::uint8_t>(text[0])] = true;
  lengths.push_back(text.size());
}

void SpecialTokens::Wanted::finish() {
  std::sort(lengths.begin(), lengths.end(), std::greater<>());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
}

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) : vocabulary_(&vocabulary) {
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    const TokenType type = vocabulary.type(token);
    if (type == TokenType::kUserDefined) user_defined_.add(vocabulary.text(token));
    if (type == TokenType::kUserDefined || type == TokenType::kControl ||
        type == TokenType::kUnknown)
      all_.add(vocabulary.text(token));
  }
  user_defined_.finish();
  all_.finish();
}

TokenId SpecialTokens::token_at(std::string_view text, bool parse_control) const {
  const TokenId token = vocabulary_->find(text);
  if (token == kNoToken) return kNoToken;
  const TokenType type = vocabulary_->type(token);
  const bool counts =
      type == TokenType::kUserDefined ||
      (parse_control && (type == TokenType::kControl || type == TokenType::kUnknown));
  return counts ? token : kNoToken;
}

std::vector<SpecialTokens::Match> SpecialTokens::find(std::string_view text,
                                                      bool parse_control) const {
  const Wanted& wanted = parse_control ? all_ : user_defined_;
  std::vector<Match> matches;
  std::vector<std::size_t> starts;
  if (wanted.lengths.empty()) return matches;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (wanted.first_byte[static_cast<std::uint8_t>(text[i])]) starts.push_back(i);
  if (starts.empty()) return matches;

  // A match that was taken is at least as long as the present one, so if the two overlap it covers
  // the present one's first or last byte.
  std::vector<bool> covered(text.size());
  for (const std::size_t length : wanted.lengths) {
    for (const std::size_t begin : starts) {
      if (length > text.size() - begin) break;
      if (covered[begin] || covered[begin + length - 1]) continue;
      const TokenId token = token_at(text.substr(begin, length), parse_control);
      if (token == kNoToken) continue;
      std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(begin), length, true);
      matches.push_back({begin, length, token});
    }
  }
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return a.begin < b.begin; });
  return matches;
}

}  // namespace bankai::model
