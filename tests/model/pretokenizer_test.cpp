#include "model/pretokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/counter_rng.h"

namespace bankai::model {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  Pieces pieces;
  pre_tokenizer.split(text, pieces);
  return pieces;
}
Pieces split(std::string_view rule, std::string_view text) {
  return split(PreTokenizer::create(rule).value(), text);
}

std::string joined(const Pieces& pieces) {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  return text;
}

// The rules in words rather than as a pattern, for text of ASCII.
class PlainSplitter {
 public:
  PlainSplitter(std::string_view rule, std::string_view text)
      : is_gpt2_(rule == "gpt-2" || rule == "smollm"),
        cuts_digits_(rule == "smollm"),
        max_digits_(rule == "qwen2" ? 1 : 3),
        text_(text) {}

  Pieces split() const {
    Pieces pieces;
    for (std::size_t at = 0; at < text_.size(); at += pieces.back().size())
      pieces.push_back(text_.substr(at, end_from(at) - at));
    return pieces;
  }

 private:
  enum class Kind { kEnd, kLetter, kDigit, kSpace, kOther };
  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  bool is_newline(std::size_t i) const { return at(i) == '\n' || at(i) == '\r'; }
  Kind kind(std::size_t i) const {
    if (i >= text_.size()) return Kind::kEnd;
    const char c = text_[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
    if (c >= '0' && c <= '9') return Kind::kDigit;
    return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::kSpace : Kind::kOther;
  }
  std::size_t run(std::size_t i, Kind wanted) const {
    while (kind(i) == wanted) ++i;
    return i;
  }

  std::size_t end_from(std::size_t i) const {
    if (const std::size_t length = contraction(i); length != 0) return i + length;
    const std::size_t word = at(i) == ' ' ? i + 1 : i;  // a space may lead
    if (is_gpt2_) {
      if (cuts_digits_ && kind(i) == Kind::kDigit) return i + 1;
      if (cuts_digits_ && kind(word) == Kind::kDigit) return word;
      for (const Kind wanted : {Kind::kLetter, Kind::kDigit, Kind::kOther})
        if (kind(word) == wanted) return run(word, wanted);
      return end_of_spaces(i);
    }
    if (kind(i) == Kind::kLetter) return run(i, Kind::kLetter);
    if (kind(i) != Kind::kDigit && !is_newline(i) && kind(i + 1) == Kind::kLetter)
      return run(i + 1, Kind::kLetter);
    if (kind(i) == Kind::kDigit) return std::min(run(i, Kind::kDigit), i + max_digits_);
    if (kind(word) == Kind::kOther) {
      std::size_t end = run(word, Kind::kOther);
      while (is_newline(end)) ++end;
      return end;
    }
    for (std::size_t last = run(i, Kind::kSpace); last-- > i;)
      if (is_newline(last)) return last + 1;
    return end_of_spaces(i);
  }
  // All of them at the end of the text (or of what is cut at once); before a word all but the last.
  std::size_t end_of_spaces(std::size_t i) const {
    const std::size_t end = run(i, Kind::kSpace);
    const bool is_last = end == text_.size() || (cuts_digits_ && kind(end) == Kind::kDigit);
    return is_last || end == i + 1 ? end : end - 1;
  }
  std::size_t contraction(std::size_t i) const {
    if (at(i) != '\'') return 0;
    for (const std::string_view ending : {"s", "t", "m", "d", "re", "ve", "ll"}) {
      std::string found(text_.substr(i + 1, ending.size()));
      if (!is_gpt2_)
        for (char& c : found) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      if (found == ending) return 1 + ending.size();
    }
    return 0;
  }

  bool is_gpt2_;
  bool cuts_digits_;
  std::size_t max_digits_;
  std::string_view text_;
};

TEST(PreTokenizer, EveryShortTextIsCutAsTheRulesSay) {
  constexpr std::string_view kCharacters = "rE7. '\n\t";
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const PreTokenizer pre_tokenizer = PreTokenizer::create(rule.name).value();
    for (std::size_t length = 0, count = 1; length <= 6; ++length, count *= kCharacters.size()) {
      for (std::size_t number = 0; number < count; ++number) {
        std::string text;
        for (std::size_t rest = number; text.size() < length; rest /= kCharacters.size())
          text += kCharacters[rest % kCharacters.size()];
        ASSERT_EQ(split(pre_tokenizer, text), PlainSplitter(rule.name, text).split())
            << rule.name << ": " << ::testing::PrintToString(text);
      }
    }
  }
}

TEST(PreTokenizer, LongRandomTextIsCutAsTheRulesSay) {
  constexpr std::string_view kCharacters = "aelLstvVRdmM019.,;!-_'' \n\r\t\v\f  ";
  const CounterRng rng(5);
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    std::string text;
    for (std::size_t i = 0; i < 100000; ++i) text += kCharacters[rng.below(i, kCharacters.size())];
    EXPECT_EQ(split(rule.name, text), PlainSplitter(rule.name, text).split()) << rule.name;
  }
}

TEST(PreTokenizer, KnowsUnicodeCategories) {
  EXPECT_EQ(split("qwen2", "Привет мир中文"), (Pieces{"Привет", " мир中文"}));
  EXPECT_EQ(split("qwen2", "x²५Ⅷ"), (Pieces{"x", "²", "५", "Ⅷ"}));
  EXPECT_EQ(split("llama-bpe", "x²५Ⅷ4"), (Pieces{"x", "²५Ⅷ", "4"}));
  EXPECT_EQ(split("gpt-2", "x²५Ⅷ4"), (Pieces{"x", "²५Ⅷ4"}));
  EXPECT_EQ(split("smollm", "x²५ Ⅷ4"), (Pieces{"x", "²", "५", " ", "Ⅷ", "4"}));
  EXPECT_EQ(split("qwen2", "a\u3000\u3000b"), (Pieces{"a", "\u3000", "\u3000b"}));
  EXPECT_EQ(split("qwen2", "a\u0301"), (Pieces{"a", "\u0301"}));  // a mark is not a letter
}

// Where PCRE2's own classes differ from those of other engines.
TEST(PreTokenizer, WhiteSpaceAndCaseAreThoseOfOtherEngines) {
  EXPECT_EQ(split("qwen2", "  \u180e!"), (Pieces{" ", " \u180e!"}));  // not white space
  EXPECT_EQ(split("qwen2", "..'\u017fx"), (Pieces{"..'", "\u017fx"}));
  EXPECT_EQ(split("qwen2", "'\u017fx"), (Pieces{"'\u017fx"}));  // a long s is no contraction
  EXPECT_EQ(split("qwen2", "'Sx"), (Pieces{"'S", "x"}));
  EXPECT_EQ(split("gpt-2", "'Sx"), (Pieces{"'", "Sx"}));
  EXPECT_EQ(split("qwen2", "a \x1c b"), (Pieces{"a", " \x1c", " b"}));
}

TEST(PreTokenizer, BytesThatAreNotUtf8StandApart) {
  EXPECT_EQ(split("qwen2", "ab\xff\xfe cd"), (Pieces{"ab", "\xff\xfe", " cd"}));
  EXPECT_EQ(split("qwen2", "  \xc3"), (Pieces{"  ", "\xc3"}));
  EXPECT_EQ(split("qwen2", "\xed\xa0\x80x"), (Pieces{"\xed\xa0\x80", "x"}));
  EXPECT_EQ(split("qwen2", "\x80"), (Pieces{"\x80"}));
}

TEST(PreTokenizer, LosesNoByte) {
  const CounterRng rng(11);
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const PreTokenizer pre_tokenizer = PreTokenizer::create(rule.name).value();
    for (std::uint64_t i = 0; i < 2000; ++i) {
      std::string text;
      for (std::uint64_t n = rng.below(i, 40), j = 0; j < n; ++j)
        text += static_cast<char>(CounterRng(11, i).bits(j));
      const Pieces pieces = split(pre_tokenizer, text);
      ASSERT_EQ(joined(pieces), text);
      for (const std::string_view piece : pieces) ASSERT_FALSE(piece.empty());
    }
    EXPECT_EQ(split(pre_tokenizer, ""), Pieces{});
  }
}

TEST(PreTokenizer, LongRunsAreCutInLinearTime) {
  constexpr std::size_t kBytes = 10'000'000;
  const std::string spaces(kBytes, ' ');
  const std::string letters(kBytes, 'a');
  const std::string foreign(kBytes, '\xff');
  std::string lines;
  while (lines.size() < kBytes) lines += " \n";
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const PreTokenizer pre_tokenizer = PreTokenizer::create(rule.name).value();
    EXPECT_EQ(split(pre_tokenizer, spaces), Pieces{spaces});
    EXPECT_EQ(split(pre_tokenizer, letters), Pieces{letters});
    EXPECT_EQ(split(pre_tokenizer, foreign), Pieces{foreign});
    EXPECT_EQ(split(pre_tokenizer, lines), Pieces{lines});
    EXPECT_EQ(split(pre_tokenizer, spaces + "x").size(), 2U);
    EXPECT_EQ(split(pre_tokenizer, "\n" + spaces).size(),
              rule.name == "gpt-2" || rule.name == "smollm" ? 1U : 2U);
  }
}

TEST(PreTokenizer, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  for (const char* name : {"", "qwen", "default", "gpt2", "Qwen2", "bad\nname"}) {
    const auto pre_tokenizer = PreTokenizer::create(name);
    ASSERT_FALSE(pre_tokenizer.ok()) << name;
    EXPECT_EQ(pre_tokenizer.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(pre_tokenizer.error().message.find('\n'), std::string::npos);
    for (const PreTokenizerRule& rule : pre_tokenizer_rules())
      EXPECT_NE(pre_tokenizer.error().message.find(rule.name), std::string::npos);
  }
}

}  // namespace
}  // namespace bankai::model
