#include "model/binary_transformer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "model/bit1_file.h"
#include "model/random_binary_model.h"
#include "tests/model/binary_reference.h"

namespace bankai::model {
namespace {

struct Run {
  const kernels::KernelTable* table;
  BinaryOptions options;
  std::vector<std::size_t> parts;  // lengths of the calls; empty: one call
};

std::vector<std::vector<long long>> logits_of(const BinaryModel& model,
                                              const std::vector<int>& tokens, const Run& run) {
  BinaryTransformer transformer(model, *run.table, run.options);
  BinaryCache cache(model.shape);
  std::vector<std::vector<long long>> result;
  std::vector<std::size_t> parts = run.parts;
  if (parts.empty()) parts.push_back(tokens.size());
  std::size_t first = 0;
  for (const std::size_t part : parts) {
    const std::vector<TokenId> some(tokens.begin() + static_cast<std::ptrdiff_t>(first),
                                    tokens.begin() + static_cast<std::ptrdiff_t>(first + part));
    const auto states = transformer.run(some, cache);
    std::vector<std::int64_t> logits(part * model.shape.vocabulary);
    transformer.logits(states, logits);
    for (std::size_t i = 0; i < part; ++i)
      result.emplace_back(
          logits.begin() + static_cast<std::ptrdiff_t>(i * model.shape.vocabulary),
          logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * model.shape.vocabulary));
    first += part;
  }
  EXPECT_EQ(cache.positions(), tokens.size());
  return result;
}

// Few characters, so that keys repeat and scores tie.
std::vector<int> some_tokens(std::size_t count, std::size_t vocabulary) {
  const CounterRng rng(9);
  std::vector<int> tokens;
  for (std::size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int>(rng.below(i, std::min<std::size_t>(vocabulary, 4))));
  return tokens;
}

std::vector<const kernels::KernelTable*> tables() {
  std::vector<const kernels::KernelTable*> supported;
  for (const kernels::KernelTable* table : kernels::all_kernels())
    if (kernels::is_supported(*table)) supported.push_back(table);
  return supported;
}

// vocabulary, width, layers, heads, feed-forward, context
constexpr BinaryShape kBinaryShapes[] = {
    {5, 1, 1, 1, 1, 8},         {7, 20, 2, 4, 33, 8},     {9, 64, 2, 2, 64, 64},
    {128, 100, 3, 5, 70, 32},   {16, 130, 2, 2, 200, 16}, {128, 192, 2, 3, 129, 64},
    {130, 256, 2, 8, 512, 256}, {3, 390, 1, 6, 65, 4},    {64, 65, 2, 1, 63, 16},
};

TEST(BinaryTransformer, LogitsEqualThePlainReferenceOnEveryTable) {
  std::uint64_t seed = 1;
  for (const BinaryShape& shape : kBinaryShapes) {
    const BinaryModel model = random_binary_model(shape, seed++);
    const BinaryReference reference(encode_bit1(model));
    const std::vector<int> tokens = some_tokens(21, shape.vocabulary);
    for (const TieRule tie : {TieRule::kEarliest, TieRule::kLatest})
      for (const PointerScore score : {PointerScore::kDot, PointerScore::kPopcount}) {
        const auto expected =
            reference.logits(tokens, {tie == TieRule::kLatest, score == PointerScore::kPopcount});
        for (const kernels::KernelTable* table : tables())
          ASSERT_EQ(logits_of(model, tokens, {table, {tie, score, 1}, {}}), expected)
              << table->name << ", width " << shape.width;
      }
  }
}

TEST(BinaryTransformer, TieRulesAndScoresMatter) {
  const BinaryModel model = random_binary_model(kBinaryShapes[4], 77);
  const std::vector<int> tokens = some_tokens(40, 16);
  const auto with = [&](TieRule tie, PointerScore score) {
    return logits_of(model, tokens, {tables().front(), {tie, score, 1}, {}});
  };
  const auto usual = with(TieRule::kEarliest, PointerScore::kDot);
  EXPECT_NE(usual, with(TieRule::kLatest, PointerScore::kDot));
  EXPECT_NE(usual, with(TieRule::kEarliest, PointerScore::kPopcount));
}

TEST(BinaryTransformer, ThreadsAndCallsDoNotMatter) {
  for (const BinaryShape& shape : {kBinaryShapes[5], kBinaryShapes[6]}) {
    const BinaryModel model = random_binary_model(shape, 5);
    const std::vector<int> tokens = some_tokens(23, shape.vocabulary);
    const kernels::KernelTable* table = tables().back();
    const auto expected = logits_of(model, tokens, {table, {}, {}});
    for (const int threads : {1, 3})
      for (const std::vector<std::size_t>& parts :
           {std::vector<std::size_t>{2, 8, 1, 9, 1, 2}, std::vector<std::size_t>{23}}) {
        BinaryOptions options;
        options.threads = threads;
        ASSERT_EQ(logits_of(model, tokens, {table, options, parts}), expected) << threads;
      }
  }
}

TEST(BinaryTransformer, TheCacheHasOneBitPerElement) {
  const BinaryShape shape{128, 512, 8, 8, 1024, 256};
  BinaryCache cache(shape);
  EXPECT_EQ(cache.bytes_per_position(), 8U * 2 * 512 / 8);
  EXPECT_EQ(BinaryCache({128, 100, 3, 5, 70, 32}).bytes_per_position(), 3U * 2 * 2 * 8);
}

TEST(RandomBinaryModel, SizesByNameAreThePublishedOnes) {
  const auto weights = [](std::size_t i) { return binary_shapes()[i].shape.num_weights(); };
  ASSERT_EQ(binary_shapes().size(), 3U);
  EXPECT_NEAR(static_cast<double>(weights(0)), 5.517e6, 0.02e6);
  EXPECT_NEAR(static_cast<double>(weights(1)), 12e6, 0.5e6);
  EXPECT_NEAR(static_cast<double>(weights(2)), 21e6, 0.5e6);
  const auto bytes = encode_bit1(random_binary_model(binary_shapes()[2].shape, 1)).size();
  EXPECT_NEAR(static_cast<double>(bytes), 2.8e6, 0.05e6);
}

TEST(RandomBinaryModel, ThresholdsRoundAsTold) {
  EXPECT_EQ(integer_threshold(0.5, 25, ThresholdRounding::kNearest), 2);  // 2.5: to even
  EXPECT_EQ(integer_threshold(0.5, 25, ThresholdRounding::kUp), 3);
  EXPECT_EQ(integer_threshold(-0.5, 49, ThresholdRounding::kNearest), -4);
  EXPECT_EQ(integer_threshold(-0.5, 49, ThresholdRounding::kUp), -3);
  EXPECT_EQ(integer_threshold(1e300, 4, ThresholdRounding::kUp), 2147483647);
}

}  // namespace
}  // namespace bankai::model
