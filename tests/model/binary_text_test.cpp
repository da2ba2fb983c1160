#include "model/binary_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/dispatch.h"
#include "model/bit1_file.h"
#include "model/random_binary_model.h"
#include "tests/model/binary_reference.h"

namespace bankai::model {
namespace {

constexpr BinaryShape kShape{128, 60, 2, 3, 40, 32};

TEST(BinaryText, CharactersAreTheirBytes) {
  const auto tokens = encode_characters("aZ\n", 128);
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(*tokens, (std::vector<TokenId>{97, 90, 10}));
  const auto beyond = encode_characters("a\xC3\xA9", 128);
  ASSERT_FALSE(beyond.ok());
  EXPECT_NE(beyond.error().message.find("byte 0xc3 at offset 1"), std::string::npos);
  EXPECT_TRUE(encode_characters("\xC3\xA9", 256).ok());
  EXPECT_EQ(encode_characters("a", 257).error().code, ErrorCode::kUnsupported);
}

TEST(BinaryText, RealLogitsAreScaledIntegers) {
  const BinaryModel model = random_binary_model(kShape, 11);
  const std::vector<int> tokens = {1, 2, 1, 3};
  const auto integers = BinaryReference(encode_bit1(model)).logits(tokens, {});
  BinaryTransformer transformer(model, *kernels::all_kernels().front(), {});
  for (const bool from_largest : {false, true}) {
    StrictCharacterModel characters(transformer, 0.5, from_largest);
    std::vector<float> logits;
    characters.feed(tokens, false, logits);
    ASSERT_EQ(logits.size(), 4U * 128);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto& row = integers[i / 128];
      const long long offset = from_largest ? *std::max_element(row.begin(), row.end()) : 0;
      ASSERT_EQ(logits[i],
                static_cast<float>(static_cast<double>(row[i % 128] - offset) * 0.5 / 65536.0));
    }
    std::vector<float> last;
    characters.clear();
    characters.feed(tokens, true, last);
    EXPECT_EQ(last, std::vector<float>(logits.end() - 128, logits.end()));
  }
  EXPECT_EQ(initial_logit_scale(kShape), 1.0 / std::sqrt(60.0));
}

// Logits that differ by one unit are the same float unless their largest is taken off first.
TEST(BinaryText, NearlyEqualLogitsStayDifferent) {
  BinaryModel model = random_binary_model({2, 64, 1, 1, 64, 8}, 3);
  std::fill_n(model.codebook.bits.begin(), 2, std::uint64_t{0});
  model.biases = {std::int64_t{1} << 40U, (std::int64_t{1} << 40U) + 1};
  BinaryTransformer transformer(model, *kernels::all_kernels().front(), {});
  StrictCharacterModel characters(transformer, 1.0, true);
  SamplingOptions sampling;
  sampling.temperature = 0.0;
  const auto tokens = generate_characters(characters, std::vector<TokenId>{0}, 2, sampling,
                                          [](TokenId) { return true; });
  EXPECT_EQ(tokens, (std::vector<TokenId>{1, 1}));
}

TEST(BinaryText, GreedyTokensFollowTheIntegers) {
  const BinaryModel model = random_binary_model(kShape, 12);
  const BinaryReference reference(encode_bit1(model));
  std::vector<int> tokens = {40, 41};
  for (int i = 0; i < 10; ++i) {
    const std::vector<long long> last = reference.logits(tokens, {}).back();
    tokens.push_back(static_cast<int>(std::max_element(last.begin(), last.end()) - last.begin()));
  }
  BinaryTransformer transformer(model, *kernels::all_kernels().front(), {});
  SamplingOptions sampling;
  sampling.temperature = 0.0;
  const std::vector<TokenId> prompt = {40, 41};
  StrictCharacterModel characters(transformer, 0.01, true);
  const auto generated =
      generate_characters(characters, prompt, 10, sampling, [](TokenId) { return true; });
  EXPECT_EQ(generated, std::vector<TokenId>(tokens.begin() + 2, tokens.end()));
  sampling.temperature = 1.0;
  std::size_t seen = 0;
  const auto sampled =
      generate_characters(characters, prompt, 10, sampling, [&](TokenId) { return ++seen < 4; });
  EXPECT_EQ(sampled.size(), 4U);
}

TEST(BinaryText, BitsPerCharacterAreThoseOfTheSoftmax) {
  const BinaryModel model = random_binary_model(kShape, 13);
  const BinaryReference reference(encode_bit1(model));
  std::vector<TokenId> text;
  for (int i = 0; i < 45; ++i) text.push_back(i * 37 % 128);
  const double scale = 0.2;
  // Windows of 16 with stride 10 predict 16, then 10 at a time.
  double bits = 0.0;
  for (std::size_t target = 1; target < text.size(); ++target) {
    const std::size_t start = target <= 16 ? 0 : (target - 16 + 9) / 10 * 10;
    const std::vector<int> window(text.begin() + static_cast<std::ptrdiff_t>(start),
                                  text.begin() + static_cast<std::ptrdiff_t>(target));
    const std::vector<long long> logits = reference.logits(window, {}).back();
    double sum = 0.0;
    for (const long long logit : logits)
      sum += std::exp(static_cast<double>(logit) * scale / 65536.0);
    bits -= (static_cast<double>(logits[static_cast<std::size_t>(text[target])]) * scale / 65536.0 -
             std::log(sum)) /
            std::log(2.0);
  }
  BinaryTransformer transformer(model, *kernels::all_kernels().front(), {});
  StrictCharacterModel characters(transformer, scale, true);
  const auto ignore = [](std::size_t, std::size_t) {};
  const auto result = measure_character_perplexity(characters, text, 16, 10, ignore);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens_scored, 44U);
  EXPECT_NEAR(result->bits_per_byte, bits / 44.0, 1e-6 * bits / 44.0);
  EXPECT_FALSE(
      measure_character_perplexity(characters, std::span(text).first(1), 16, 10, ignore).ok());
}

TEST(BinaryModel, RaisedThresholdsMustBePassed) {
  BinaryModel model = random_binary_model(kShape, 14);
  model.layers[1].down.thresholds = std::vector<std::int32_t>(60, INT32_MAX);
  model.layers[0].q.thresholds[5] = -7;
  raise_thresholds(model);
  EXPECT_EQ(model.layers[0].q.thresholds[5], -6);
  EXPECT_EQ(model.layers[1].down.thresholds[3], INT32_MAX);
}

}  // namespace
}  // namespace bankai::model
