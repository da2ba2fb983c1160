#include "model/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "tests/model/test_vocabulary.h"

namespace bankai::model {
namespace {

// The definition: look at all pairs, merge the leftmost of the best, start again.
void merge_plainly(const MergeTable& table, std::vector<TokenId>& tokens) {
  while (true) {
    std::uint32_t best = MergeTable::kNoRank;
    std::size_t best_at = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
      if (const std::uint32_t rank = table.find(tokens[i], tokens[i + 1]); rank < best) {
        best = rank;
        best_at = i;
      }
    if (best == MergeTable::kNoRank) return;
    tokens[best_at] = table.rule(best).result;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

// Rules over the letters a, b, c in an order that no training would give.
MergeTable random_table(std::uint64_t seed, std::size_t num_rules) {
  const CounterRng rng(seed);
  TestVocabulary test;
  std::vector<std::string> parts = {"a", "b", "c"};
  for (std::uint64_t i = 0; test.metadata.merges.size() < num_rules; ++i) {
    const std::string left = parts[rng.below(2 * i, parts.size())];
    const std::string right = parts[rng.below(2 * i + 1, parts.size())];
    const std::string line = left + " " + right;
    auto& merges = test.metadata.merges;
    if (std::find(merges.begin(), merges.end(), line) != merges.end()) continue;
    test.add_merge_line(line);
    if (std::find(parts.begin(), parts.end(), left + right) != parts.end()) continue;
    test.add(left + right);
    parts.push_back(left + right);
  }
  // Last rules first: a rule may then rank before those that make its parts.
  if (seed % 2 == 1) std::reverse(test.metadata.merges.begin(), test.metadata.merges.end());
  const Vocabulary vocabulary =
      Vocabulary::create(test.metadata.tokens, test.metadata.types).value();
  return MergeTable::create(test.metadata.merges, vocabulary).value();
}

TEST(BpeMerger, EqualsTheDefinitionUnderRandomRules) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const MergeTable table = random_table(seed, 3 + seed / 2);
    BpeMerger merger(table);
    for (std::uint64_t word = 0; word < 100; ++word) {
      const CounterRng rng(seed, word);
      std::vector<TokenId> tokens(word);
      for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<TokenId>('a' + rng.below(i, 3));
      std::vector<TokenId> expected = tokens;
      merge_plainly(table, expected);
      merger.merge(tokens);
      ASSERT_EQ(tokens, expected) << "seed " << seed << ", word " << word;
    }
  }
}

TEST(BpeMerger, EqualPairsMergeFromTheLeft) {
  TestVocabulary test;
  const TokenId pair = test.add_merge("a", "a");
  const Vocabulary vocabulary =
      Vocabulary::create(test.metadata.tokens, test.metadata.types).value();
  const MergeTable table = MergeTable::create(test.metadata.merges, vocabulary).value();
  BpeMerger merger(table);
  for (std::size_t n = 0; n < 20; ++n) {
    std::vector<TokenId> tokens(n, 'a');
    merger.merge(tokens);
    std::vector<TokenId> expected(n / 2, pair);
    if (n % 2 == 1) expected.push_back('a');
    EXPECT_EQ(tokens, expected);
  }
}

// A million tokens: hours if every merge looked at all pairs.
TEST(BpeMerger, LongWordsAreNotQuadratic) {
  TestVocabulary test;
  std::string run = "a";
  TokenId longest = 'a';
  for (int i = 0; i < 10; ++i, run += run) longest = test.add_merge(run, run);
  const Vocabulary vocabulary =
      Vocabulary::create(test.metadata.tokens, test.metadata.types).value();
  const MergeTable table = MergeTable::create(test.metadata.merges, vocabulary).value();
  std::vector<TokenId> tokens(1024 * 1024, 'a');
  BpeMerger(table).merge(tokens);
  EXPECT_EQ(tokens, std::vector<TokenId>(1024, longest));
}

}  // namespace
}  // namespace bankai::model
