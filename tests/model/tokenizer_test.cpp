#include "model/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "core/counter_rng.h"
#include "model/pretokenizer.h"
#include "tests/model/test_vocabulary.h"

namespace bankai::model {
namespace {

using Ids = std::vector<TokenId>;

Tokenizer build(const TestVocabulary& test) {
  auto tokenizer = Tokenizer::from_metadata(test.metadata);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  return std::move(tokenizer).value();
}

void expect_error(const TestVocabulary& test, ErrorCode code, const std::string& message) {
  const auto tokenizer = Tokenizer::from_metadata(test.metadata);
  ASSERT_FALSE(tokenizer.ok()) << message;
  EXPECT_EQ(tokenizer.error().code, code);
  EXPECT_EQ(tokenizer.error().message, "test.gguf: " + message);
}

TestVocabulary with_special_tokens(const std::string& pre) {
  TestVocabulary test(pre);
  test.add_merge("a", "b");
  test.add_merge(" ", "ab");
  test.add("<|im_end|>", TokenType::kControl);
  test.add("<think>", TokenType::kUserDefined);
  test.add("[PAD1]", TokenType::kUnused);
  test.add("ab中", TokenType::kNormal);  // cannot be reached, decodes to itself
  return test;
}

TEST(Tokenizer, MergesWithinPiecesOnly) {
  TestVocabulary test;
  const TokenId ab = test.add_merge("a", "b");
  const TokenId space_ab = test.add_merge(" ", "ab");
  test.add_merge("b", " ");  // would cross a cut
  const Tokenizer tokenizer = build(test);
  EXPECT_EQ(tokenizer.encode("abab"), (Ids{ab, ab}));
  EXPECT_EQ(tokenizer.encode("ab ab"), (Ids{ab, space_ab}));
  EXPECT_EQ(tokenizer.encode("b c"), (Ids{'b', ' ', 'c'}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.decode(Ids{ab, space_ab, '!'}), "ab ab!");
  EXPECT_EQ(tokenizer.decode(Ids{}), "");
  EXPECT_EQ(tokenizer.decode(space_ab), " ab");
}

TEST(Tokenizer, DecodesEachByteOfACharacter) {
  const Tokenizer tokenizer = build(TestVocabulary());
  const Ids ids = tokenizer.encode("é");
  EXPECT_EQ(ids, (Ids{0xc3, 0xa9}));
  EXPECT_EQ(tokenizer.decode(ids[0]), "\xc3");
}

TEST(Tokenizer, WholeWordsComeFirstWhereTheRuleSaysSo) {
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    TestVocabulary test{std::string(rule.name)};
    const TokenId word = test.add(TestVocabulary::spelling("wörd"));
    const TokenId control = test.add("ctl", TokenType::kControl);
    const Tokenizer tokenizer = build(test);
    if (rule.whole_words_first)
      EXPECT_EQ(tokenizer.encode("wörd"), Ids{word});
    else
      EXPECT_EQ(tokenizer.encode("wörd").size(), 5U);
    EXPECT_EQ(tokenizer.encode("ctl"), (Ids{'c', 't', 'l'}));
    EXPECT_EQ(tokenizer.encode("ctl", true), Ids{control});
  }
}

TEST(Tokenizer, TextCannotForgeControlTokens) {
  const Tokenizer tokenizer = build(with_special_tokens("qwen2"));
  const TokenId end = tokenizer.encode("<|im_end|>", true).at(0);
  const TokenId think = tokenizer.encode("<think>").at(0);
  const std::string text = "ab<|im_end|><think> ab";
  EXPECT_EQ(tokenizer.decode(end), "<|im_end|>");
  for (const TokenId token : tokenizer.encode(text)) EXPECT_NE(token, end);
  EXPECT_EQ(tokenizer.encode(text, true),
            (Ids{tokenizer.encode("ab")[0], end, think, tokenizer.encode(" ab")[0]}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true)), text);
}

TEST(Tokenizer, AnyBytesComeBack) {
  constexpr std::string_view kParts[] = {"<|im_end|>", "<think>", "<thi",  "ab", " ab",
                                         "  ",         "\n",      "é",     "中", "\xff",
                                         "'s",         "12",      "[PAD1]"};
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const Tokenizer tokenizer = build(with_special_tokens(std::string(rule.name)));
    for (std::uint64_t round = 0; round < 1000; ++round) {
      const CounterRng rng(17, round);
      std::string text;
      for (std::uint64_t i = 0; i < round % 50; ++i) {
        if (rng.below(2 * i, 2) == 0)
          text += static_cast<char>(rng.bits(2 * i + 1));
        else
          text += kParts[rng.below(2 * i + 1, std::size(kParts))];
      }
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << "round " << round;
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, true)), text) << "round " << round;
    }
  }
}

TEST(Tokenizer, LongInputs) {
  constexpr std::size_t kBytes = 200'000;
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const Tokenizer tokenizer = build(with_special_tokens(std::string(rule.name)));
    for (const char c : {' ', 'a', '7', '\n', '\'', '<', '\xff', '\0'}) {
      const std::string text(kBytes, c);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, true)), text) << rule.name << c;
    }
  }
}

TEST(Tokenizer, ByteWithoutATokenBecomesTheUnknownToken) {
  TestVocabulary test;
  for (const int byte : {0x41, 0xc3})
    test.metadata.tokens[static_cast<std::size_t>(byte)] =
        byte == 0x41 ? "unreached 1" : "unreached 2";
  expect_error(test, ErrorCode::kBadInput,
               "tokenizer.ggml.tokens has no token for byte 0x41, and the file names no unknown "
               "token");
  const TokenId unknown = test.add("<unk>", TokenType::kUnknown);
  test.metadata.unknown = static_cast<std::uint64_t>(unknown);
  const Tokenizer tokenizer = build(test);
  EXPECT_EQ(tokenizer.encode("xAé"), (Ids{'x', unknown, unknown, 0xa9}));
}

TEST(Tokenizer, ReadsBeginAndEnd) {
  TestVocabulary test = with_special_tokens("qwen2");
  {
    const Tokenizer tokenizer = build(test);
    EXPECT_EQ(tokenizer.bos(), -1);
    EXPECT_EQ(tokenizer.eos(), -1);
    EXPECT_FALSE(tokenizer.adds_bos());
    EXPECT_EQ(tokenizer.vocabulary_size(), test.metadata.tokens.size());
  }
  test.metadata.bos = 3;
  test.metadata.eos = 5;
  test.metadata.adds_bos = true;
  const Tokenizer tokenizer = build(test);
  EXPECT_EQ(tokenizer.bos(), 3);
  EXPECT_EQ(tokenizer.eos(), 5);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.encode("x"), Ids{'x'});  // it is the caller's to add
}

TEST(Tokenizer, TheRuleDecidesAboutBosIfTheFileDoesNot) {
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    TestVocabulary test{std::string(rule.name)};
    EXPECT_EQ(build(test).adds_bos(), rule.adds_bos);
    for (const bool adds : {false, true}) {
      test.metadata.adds_bos = adds;
      EXPECT_EQ(build(test).adds_bos(), adds);
    }
  }
}

TEST(Tokenizer, KnowsWhatEndsAGeneration) {
  TestVocabulary test;
  const Ids ends = {test.add("<|im_end|>", TokenType::kControl),
                    test.add("<|endoftext|>", TokenType::kControl),
                    test.add("<|eot_id|>", TokenType::kControl),
                    test.add("</s>", TokenType::kNormal),  // not a control token
                    7,
                    8,
                    9};
  test.metadata.eos = 7;
  test.metadata.end_of_turn = 8;
  test.metadata.end_of_message = 9;
  test.metadata.bos = 10;
  test.metadata.padding = 11;
  const Tokenizer tokenizer = build(test);
  for (TokenId token = -2; token < static_cast<TokenId>(tokenizer.vocabulary_size()) + 2; ++token) {
    const bool is_listed = std::find(ends.begin(), ends.end(), token) != ends.end();
    EXPECT_EQ(tokenizer.is_end_of_generation(token), is_listed && token != ends[3]) << token;
  }
}

TEST(Tokenizer, RefusesIdsOutsideTheVocabulary) {
  for (const TokenIdKey& id : kTokenIdKeys) {
    for (const std::uint64_t value : {std::uint64_t{256}, std::uint64_t{UINT32_MAX}, UINT64_MAX}) {
      TestVocabulary test;
      test.metadata.*id.member = value;
      expect_error(
          test, ErrorCode::kBadInput,
          id.key + (" is " + std::to_string(value)) + ", but the vocabulary has 256 tokens");
    }
    TestVocabulary test;
    test.metadata.*id.member = 255;
    EXPECT_TRUE(Tokenizer::from_metadata(test.metadata).ok());
  }
}

TEST(Tokenizer, ErrorsNameTheFile) {
  TestVocabulary duplicate;
  duplicate.add("a");
  expect_error(duplicate, ErrorCode::kBadInput,
               "tokenizer.ggml.tokens: token 256, 'a', is token 97 again");
  TestVocabulary types;
  types.metadata.types.pop_back();
  expect_error(types, ErrorCode::kBadInput,
               "tokenizer.ggml.token_type has 255 types for the 256 tokens of "
               "tokenizer.ggml.tokens");
  TestVocabulary merges;
  merges.add_merge_line("ab");
  expect_error(merges, ErrorCode::kBadInput,
               "tokenizer.ggml.merges: rule 0 is 'ab', expected two parts");
  expect_error(TestVocabulary("falcon"), ErrorCode::kUnsupported,
               "tokenizer.ggml.pre is 'falcon', and known are: gpt-2, llama-bpe, qwen2, smollm");
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer tokenizer = build(with_special_tokens("llama-bpe"));
  std::string text;
  for (int i = 0; i < 2000; ++i) text += " ab abab <think>\n";
  const Ids expected = tokenizer.encode(text);
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& ids : found)
    threads.emplace_back([&ids, &tokenizer, &text] { ids = tokenizer.encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

TEST(Tokenizer, MovesAndStaysUsable) {
  Tokenizer first = build(with_special_tokens("qwen2"));
  const Ids expected = first.encode("ab<think>", true);
  Tokenizer second = std::move(first);
  EXPECT_EQ(second.encode("ab<think>", true), expected);
  first = std::move(second);
  EXPECT_EQ(first.encode("ab<think>", true), expected);
}

}  // namespace
}  // namespace bankai::model
