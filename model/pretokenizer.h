// The first step of byte-level BPE: a pattern cuts the text into pieces, and no token crosses a
// cut.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::model {

// One pre-tokenizer as `tokenizer.ggml.pre` names it.
struct PreTokenizerRule {
  std::string_view name;
  const char* pattern;     // PCRE2; matches at every position of well-formed text
  bool whole_words_first;  // a piece that is a token is that token, whatever the merges say
  bool adds_bos;           // unless the file says otherwise
};

// All of them; errors and tests walk this list.
std::span<const PreTokenizerRule> pre_tokenizer_rules();

// Immutable, thread-safe.
class PreTokenizer {
 public:
  // Errors: kUnsupported with the known names if there is no rule `name`.
  static Result<PreTokenizer> create(std::string_view name);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  const PreTokenizerRule& rule() const { return *rule_; }

  // Appends the pieces of `text` (views into it, none empty, which together are `text`).
  // Each run of bytes that are not UTF-8 is one piece; the text on either side of it is cut as if
  // it stood alone. Time linear in the text.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct Pattern;
  PreTokenizer(const PreTokenizerRule& rule, std::unique_ptr<Pattern> pattern);

  const PreTokenizerRule* rule_;
  std::unique_ptr<Pattern> pattern_;
};

}  // namespace bankai::model
