// A small tokenizer to test with: the 256 byte tokens (id = byte), and whatever a test adds.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "model/byte_alphabet.h"
#include "model/tokenizer_metadata.h"
#include "model/vocabulary.h"

namespace bankai::model {

class TestVocabulary {
 public:
  explicit TestVocabulary(std::string pre = "qwen2") {
    metadata.source = "test.gguf";
    metadata.pre = std::move(pre);
    for (int byte = 0; byte < 256; ++byte) add(spelling(std::string(1, static_cast<char>(byte))));
  }

  static std::string spelling(std::string_view bytes) {
    std::string text;
    append_alphabet_text(bytes, text);
    return text;
  }

  TokenId add(std::string_view text, TokenType type = TokenType::kNormal) {
    metadata.tokens.push_back(strings_.emplace_back(text));
    metadata.types.push_back(static_cast<std::int64_t>(type));
    return static_cast<TokenId>(metadata.tokens.size() - 1);
  }
  void add_merge_line(std::string_view line) {
    metadata.merges.push_back(strings_.emplace_back(line));
  }
  // Adds the rule and the token that it makes of these bytes.
  TokenId add_merge(std::string_view left, std::string_view right) {
    add_merge_line(spelling(left) + " " + spelling(right));
    return add(spelling(left) + spelling(right));
  }

  TokenizerMetadata metadata;

 private:
  std::deque<std::string> strings_;  // a deque: the views stay valid
};

}  // namespace bankai::model
