// Fuzz target: any tokenizer and any text. What is accepted must give the text back, and must not
// make control tokens of text that did not ask for it.
// The input is lines that describe the tokenizer, a zero byte, and the text. A line is
//   pNAME        the pre-tokenizer          b       the 256 tokens of the byte alphabet
//   1TEXT … 6TEXT  a token of this type     mRULE   a merge rule
//   uNUMBER      the unknown token
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>

#include "core/check.h"
#include "model/byte_alphabet.h"
#include "model/tokenizer.h"

namespace {

using bankai::model::Tokenizer;
using bankai::model::TokenizerMetadata;
using bankai::model::TokenType;

void add_token(TokenizerMetadata& metadata, std::string_view text, std::int64_t type) {
  metadata.tokens.push_back(text);
  metadata.types.push_back(type);
}

// `spellings` keeps the texts of the alphabet alive.
void read_line(std::string_view line, TokenizerMetadata& metadata,
               std::deque<std::string>& spellings) {
  if (line.empty()) return;
  const std::string_view rest = line.substr(1);
  if (line[0] >= '0' && line[0] <= '9') add_token(metadata, rest, line[0] - '0');
  if (line[0] == 'p') metadata.pre = rest;
  if (line[0] == 'm') metadata.merges.push_back(rest);
  if (line[0] == 'u') metadata.unknown = std::strtoull(std::string(rest).c_str(), nullptr, 10);
  if (line[0] != 'b') return;
  for (int byte = 0; byte < 256; ++byte) {
    bankai::model::append_alphabet_text(std::string(1, static_cast<char>(byte)),
                                        spellings.emplace_back());
    add_token(metadata, spellings.back(), 1);
  }
}

void check_text(const Tokenizer& tokenizer, const TokenizerMetadata& metadata,
                std::string_view text) {
  for (const bool parse_special : {false, true}) {
    const auto tokens = tokenizer.encode(text, parse_special);
    for (const auto token : tokens) {
      BANKAI_CHECK(token >= 0 && static_cast<std::size_t>(token) < tokenizer.vocabulary_size(),
                   "an id outside the vocabulary");
      const auto type = static_cast<TokenType>(metadata.types[static_cast<std::size_t>(token)]);
      BANKAI_CHECK(parse_special || metadata.unknown || type != TokenType::kControl,
                   "a control token out of plain text");
    }
    BANKAI_CHECK(metadata.unknown || tokenizer.decode(tokens) == text, "another text came back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view lines = input.substr(0, input.find('\0'));
  const std::string_view text = input.substr(std::min(size, lines.size() + 1));
  TokenizerMetadata metadata;
  std::deque<std::string> spellings;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    read_line(line, metadata, spellings);
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  const auto tokenizer = Tokenizer::from_metadata(metadata);
  if (tokenizer.ok()) check_text(*tokenizer, metadata, text);
  return 0;
}
