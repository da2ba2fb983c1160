#include "model/special_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/counter_rng.h"

namespace bankai::model {
namespace {

using Texts = std::vector<std::string_view>;

struct Expected {
  std::size_t begin;
  TokenId token;
};

void expect_matches(const SpecialTokens& special, const Vocabulary& vocabulary,
                    std::string_view text, bool parse_control,
                    const std::vector<Expected>& expected) {
  const auto matches = special.find(text, parse_control);
  ASSERT_EQ(matches.size(), expected.size()) << text;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    EXPECT_EQ(matches[i].begin, expected[i].begin) << text;
    EXPECT_EQ(matches[i].token, expected[i].token) << text;
    EXPECT_EQ(matches[i].num_bytes, vocabulary.text(expected[i].token).size()) << text;
  }
}

TEST(SpecialTokens, UserDefinedAlwaysControlOnRequest) {
  const Texts texts = {"<think>", "<|end|>", "<unk>", "[pad]", "<n>"};
  const std::vector<std::int64_t> types = {4, 3, 2, 5, 1};
  const Vocabulary vocabulary = Vocabulary::create(texts, types).value();
  const SpecialTokens special(vocabulary);
  const std::string_view text = "a<think><|end|>b<unk>[pad]<n><thin";
  expect_matches(special, vocabulary, text, false, {{1, 0}});
  expect_matches(special, vocabulary, text, true, {{1, 0}, {8, 1}, {16, 2}});
  expect_matches(special, vocabulary, "", true, {});
  expect_matches(special, vocabulary, "plain", true, {});
}

TEST(SpecialTokens, LongerOnesWinAnywhereThenTheLeftmost) {
  const Texts texts = {"ab", "bcd", "de", "abcdefg", "xx", ""};
  const std::vector<std::int64_t> types(texts.size(), 4);
  const Vocabulary vocabulary = Vocabulary::create(texts, types).value();
  const SpecialTokens special(vocabulary);
  expect_matches(special, vocabulary, "abcde", false, {{1, 1}});  // "bcd" before "ab" and "de"
  expect_matches(special, vocabulary, "abcdefg", false, {{0, 3}});
  expect_matches(special, vocabulary, "abxxxde", false, {{0, 0}, {2, 4}, {5, 2}});
}

// The definition: each token in turn, longest first, cuts what is left of the text.
void cut_plainly(const std::vector<std::string>& tokens, std::size_t index, std::string_view text,
                 std::size_t offset, std::vector<std::size_t>& begins) {
  if (index == tokens.size()) return;
  const std::size_t at = text.find(tokens[index]);
  if (at == std::string_view::npos) return cut_plainly(tokens, index + 1, text, offset, begins);
  begins.push_back(offset + at);
  const std::size_t end = at + tokens[index].size();
  cut_plainly(tokens, index + 1, text.substr(0, at), offset, begins);
  cut_plainly(tokens, index, text.substr(end), offset + end, begins);
}

TEST(SpecialTokens, EqualsCuttingByOneTokenAfterTheOther) {
  // No two of one length, where the order would be a matter of taste.
  const std::vector<std::string> tokens = {"abbab", "abab", "bba", "ab", "b"};
  const Texts texts(tokens.begin(), tokens.end());
  const Vocabulary vocabulary =
      Vocabulary::create(texts, std::vector<std::int64_t>(texts.size(), 4)).value();
  const SpecialTokens special(vocabulary);
  for (std::uint64_t round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t i = 0; i < round % 31; ++i)
      text += "aabbc"[CounterRng(3, round).below(i, 5)];
    std::vector<std::size_t> expected;
    cut_plainly(tokens, 0, text, 0, expected);
    std::sort(expected.begin(), expected.end());
    std::vector<std::size_t> begins;
    for (const auto& match : special.find(text, false)) begins.push_back(match.begin);
    ASSERT_EQ(begins, expected) << text;
  }
}

}  // namespace
}  // namespace bankai::model
