#include "model/merges.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bankai::model {
namespace {

using Lines = std::vector<std::string_view>;

Vocabulary small_vocabulary() {
  const Lines texts = {"a", "b", "ab", "ba", "aba", "<c>", "<u>", "a<c>", "Ġ", "aa"};
  const std::vector<std::int64_t> types = {1, 1, 1, 1, 1, 3, 2, 1, 1, 3};
  return Vocabulary::create(texts, types).value();
}

TEST(MergeTable, FindsEachRuleByItsPair) {
  const MergeTable table =
      MergeTable::create(Lines{"a b", "b a", "ab a", "a ba"}, small_vocabulary()).value();
  ASSERT_EQ(table.size(), 4U);
  EXPECT_EQ(table.find(0, 1), 0U);
  EXPECT_EQ(table.find(1, 0), 1U);
  EXPECT_EQ(table.find(2, 0), 2U);
  EXPECT_EQ(table.find(0, 3), 3U);
  EXPECT_EQ(table.rule(3).result, 4);
  EXPECT_EQ(table.find(0, 0), MergeTable::kNoRank);
  EXPECT_EQ(table.find(kNoToken, 0), MergeTable::kNoRank);
}

TEST(MergeTable, LeavesOutRulesThatCannotApply) {
  const MergeTable table = MergeTable::create(Lines{"a x",    // no such part
                                                    "b b",    // no such result
                                                    "a <c>",  // a control token
                                                    "a <u>",  // an unknown token
                                                    "a a",    // makes a control token
                                                    "b a"},
                                              small_vocabulary())
                               .value();
  ASSERT_EQ(table.size(), 1U);
  EXPECT_EQ(table.find(1, 0), 0U);
}

TEST(MergeTable, MayBeEmpty) {
  const MergeTable table = MergeTable::create(Lines{}, small_vocabulary()).value();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.find(0, 1), MergeTable::kNoRank);
}

TEST(MergeTable, RefusesDamagedRules) {
  for (const std::string line : {"", "a", "ab", " a", "a ", " ", "aĠb"}) {
    const auto table = MergeTable::create(Lines{"a b", line}, small_vocabulary());
    ASSERT_FALSE(table.ok()) << line;
    EXPECT_EQ(table.error().code, ErrorCode::kBadInput);
    EXPECT_EQ(table.error().message.find("tokenizer.ggml.merges: rule 1 is '"), 0U)
        << table.error().message;
  }
  const auto twice = MergeTable::create(Lines{"a b", "b a", "a b"}, small_vocabulary());
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, ErrorCode::kBadInput);
  EXPECT_EQ(twice.error().message, "tokenizer.ggml.merges: rule 2, 'a b', occurs twice");
}

}  // namespace
}  // namespace bankai::model
