#include "model/vocabulary.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/format.h"

namespace bankai::model {
namespace {

using Texts = std::vector<std::string_view>;
using Types = std::vector<std::int64_t>;

void expect_error(const Texts& texts, const Types& types, const std::string& message) {
  const auto vocabulary = Vocabulary::create(texts, types);
  ASSERT_FALSE(vocabulary.ok()) << message;
  EXPECT_EQ(vocabulary.error().code, ErrorCode::kBadInput);
  EXPECT_EQ(vocabulary.error().message, message);
}

TEST(Vocabulary, FindsEveryTokenByItsText) {
  std::vector<std::string> strings;
  for (int i = 0; i < 5000; ++i) strings.push_back(format("t%d", i));
  const Texts texts(strings.begin(), strings.end());
  const Vocabulary vocabulary = Vocabulary::create(texts, {}).value();
  ASSERT_EQ(vocabulary.size(), texts.size());
  for (TokenId token = 0; token < 5000; ++token) {
    const std::string_view text = texts[static_cast<std::size_t>(token)];
    EXPECT_EQ(vocabulary.find(text), token);
    EXPECT_EQ(vocabulary.text(token), text);
    EXPECT_EQ(vocabulary.type(token), TokenType::kNormal);
  }
  EXPECT_EQ(vocabulary.find("t5000"), kNoToken);
  EXPECT_EQ(vocabulary.find(""), kNoToken);
  EXPECT_TRUE(vocabulary.contains(4999));
  EXPECT_FALSE(vocabulary.contains(5000));
  EXPECT_FALSE(vocabulary.contains(-1));
}

TEST(Vocabulary, OwnsItsTexts) {
  std::string text = "abc";
  const Vocabulary vocabulary = Vocabulary::create(Texts{text}, {}).value();
  text[0] = 'x';
  EXPECT_EQ(vocabulary.text(0), "abc");
  EXPECT_EQ(vocabulary.find("abc"), 0);
}

TEST(Vocabulary, DecodesByType) {
  const Texts texts = {"Ġhi", "中文", "Ġ<|end|>", "ĠĠ", "<0x0A>", "a b", "[PAD1]", "<unk>", ""};
  const Types types = {1, 1, 3, 4, 6, 1, 5, 2, 1};
  const Vocabulary vocabulary = Vocabulary::create(texts, types).value();
  const char* expected[] = {" hi", "中文", "Ġ<|end|>", "ĠĠ", "\n", "a b", "[PAD1]", "<unk>", ""};
  for (TokenId token = 0; token < 9; ++token) EXPECT_EQ(vocabulary.bytes(token), expected[token]);
}

TEST(Vocabulary, PlainTextFindsNeitherControlNorUnknownTokens) {
  const Vocabulary vocabulary =
      Vocabulary::create(Texts{"a", "b", "c", "d", "e"}, Types{1, 2, 3, 4, 5}).value();
  EXPECT_EQ(vocabulary.find_plain("a"), 0);
  EXPECT_EQ(vocabulary.find_plain("b"), kNoToken);
  EXPECT_EQ(vocabulary.find_plain("c"), kNoToken);
  EXPECT_EQ(vocabulary.find_plain("d"), 3);
  EXPECT_EQ(vocabulary.find_plain("e"), 4);
  EXPECT_EQ(vocabulary.find_plain("f"), kNoToken);
}

TEST(Vocabulary, FindsTheTokenOfAByte) {
  const Vocabulary vocabulary =
      Vocabulary::create(Texts{"a", "Ġ", "<0x61>", "<0x0A>", "<0x0B>"}, Types{1, 1, 6, 6, 1})
          .value();
  EXPECT_EQ(vocabulary.find_byte('a'), 0);  // the alphabet's comes first
  EXPECT_EQ(vocabulary.find_byte(' '), 1);
  EXPECT_EQ(vocabulary.find_byte('\n'), 3);
  EXPECT_EQ(vocabulary.find_byte(0x0b), kNoToken);  // a normal token that looks like one
  EXPECT_EQ(vocabulary.find_byte('b'), kNoToken);
}

TEST(Vocabulary, RefusesWhatDoesNotFitTogether) {
  expect_error({}, {}, "tokenizer.ggml.tokens has 0 tokens, expected 1 to 2147483647");
  expect_error({"a", "b"}, {1},
               "tokenizer.ggml.token_type has 1 types for the 2 tokens of tokenizer.ggml.tokens");
  expect_error({"a"}, {1, 1},
               "tokenizer.ggml.token_type has 2 types for the 1 tokens of tokenizer.ggml.tokens");
  expect_error({"a", "b", "a"}, {}, "tokenizer.ggml.tokens: token 2, 'a', is token 0 again");
  for (const std::int64_t type : {std::int64_t{0}, std::int64_t{7}, std::int64_t{-1}, INT64_MAX})
    expect_error(
        {"a"}, {type},
        "tokenizer.ggml.token_type of token 0 is " + std::to_string(type) + ", expected 1 to 6");
}

TEST(Vocabulary, RefusesByteTokensThatAreNone) {
  for (const std::string text : {"<0x-1>", "<0xGG>", "<0x100>", "<0x0a>", "<0x>", "<0x1", "", "a",
                                 "<0x41", "<0x41>>", "0x41"})
    expect_error({text}, {6},
                 "tokenizer.ggml.tokens: token 0 is a byte token spelled '" + text +
                     "', expected <0x00> to <0xFF>");
}

}  // namespace
}  // namespace bankai::model
