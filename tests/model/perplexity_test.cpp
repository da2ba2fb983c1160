#include "model/perplexity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/model/forward_checks.h"
#include "tests/support/reference_transformer.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::demo_model;
using bankai::testing::ReferenceTransformer;

const std::function<void(std::size_t, std::size_t)> kSilent = [](std::size_t, std::size_t) {};

TEST(PerplexityWindows, ScoreEachTargetOnceForEverySize) {
  for (std::size_t length = 2; length <= 24; ++length) {
    std::vector<TokenId> tokens(length);
    for (std::size_t i = 0; i < length; ++i) tokens[i] = static_cast<TokenId>(100 + i);
    for (std::size_t context = 1; context <= 25; ++context) {
      for (std::size_t stride = 1; stride <= context; ++stride) {
        SCOPED_TRACE(::testing::Message()
                     << length << " tokens, context " << context << ", stride " << stride);
        std::size_t next = 1;
        std::size_t start = 0;
        for (const ScoredSequence& window : perplexity_windows(tokens, context, stride)) {
          // t[kS … kS+C]: inputs and the token after them, cut off at the end of the text.
          const std::size_t end = std::min(length, start + context + 1);
          ASSERT_EQ(window.tokens.size(), end - start);
          EXPECT_EQ(window.tokens.front(), tokens[start]);
          EXPECT_EQ(window.tokens.back(), tokens[end - 1]);
          ASSERT_EQ(start + window.first_target, next) << "a gap, or a target scored twice";
          EXPECT_GE(window.num_targets(), 1U);
          EXPECT_LE(window.num_targets(), start == 0 ? context : stride);
          if (end < length && start > 0) {
            EXPECT_EQ(window.num_targets(), stride);
          }
          next += window.num_targets();
          start += stride;
        }
        EXPECT_EQ(next, length);
      }
    }
  }
}

// The definition, computed with the reference.
double reference_nll(const std::vector<TokenId>& tokens, std::size_t context, std::size_t stride) {
  const ReferenceTransformer reference(demo_model().file());
  double sum = 0.0;
  std::size_t next = 1;
  for (std::size_t start = 0; next < tokens.size(); start += stride) {
    const std::size_t end = std::min(tokens.size(), start + context + 1);
    const std::vector<double> logits =
        reference.logits(std::span(tokens).subspan(start, end - 1 - start));
    for (; next < end; ++next) {
      const auto row = std::span(logits).subspan((next - 1 - start) * reference.vocabulary(),
                                                 reference.vocabulary());
      double total = 0.0;
      for (const double logit : row) total += std::exp(logit);
      sum -= row[static_cast<std::size_t>(tokens[next])] - std::log(total);
    }
  }
  return sum / static_cast<double>(tokens.size() - 1);
}

TEST(Perplexity, IsWhatTheDefinitionSays) {
  const std::string text =
      "The capital of France is Paris.\n12 + 30 = 42\nd/dx x^2 = 2x\nMia has 3 apples.\n";
  const std::vector<TokenId> tokens = demo_model().tokenizer().encode(text);
  const std::size_t first_bytes = demo_model().tokenizer().decode(tokens.front()).size();
  Transformer transformer(demo_model(), best_kernels(), a16());
  const std::pair<std::size_t, std::size_t> sizes[] = {{512, 512}, {16, 16}, {16, 5}, {1, 1}};
  for (const auto& [context, stride] : sizes) {
    const auto result = measure_perplexity(transformer, {}, text, context, stride, kSilent);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->tokens_scored, tokens.size() - 1);
    EXPECT_EQ(result->bytes_scored, text.size() - first_bytes);
    EXPECT_NEAR(result->nll, reference_nll(tokens, context, stride), 1e-4);
    EXPECT_NEAR(result->perplexity, std::exp(result->nll), 1e-12 * result->perplexity);
    EXPECT_NEAR(result->bits_per_byte,
                result->nll * static_cast<double>(result->tokens_scored) / std::log(2.0) /
                    static_cast<double>(result->bytes_scored),
                1e-12);
  }
}

TEST(Perplexity, BeginsWithBosWhereTheFileSaysSo) {
  bankai::testing::SmallShape shape;
  shape.add_metadata = [](GgufBuilder& builder) {
    builder.add<bool>("tokenizer.ggml.add_bos_token", true);
    builder.add<std::uint32_t>("tokenizer.ggml.bos_token_id", 297);
  };
  const auto model = bankai::testing::make_small_model(shape);
  Transformer transformer(*model, best_kernels(), a16());
  const auto result = measure_perplexity(transformer, {}, "x", 8, 8, kSilent);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens_scored, 1U);
  EXPECT_EQ(result->bytes_scored, 1U);
}

TEST(Perplexity, NeedsTwoTokens) {
  Transformer transformer(demo_model(), best_kernels(), a8());
  for (const char* text : {"", "x"}) {
    const auto result = measure_perplexity(transformer, {}, text, 8, 8, kSilent);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kBadInput);
  }
}

TEST(Perplexity, ReportsProgressUpToTheEnd) {
  Transformer transformer(demo_model(), best_kernels(), a8());
  const std::string text(100, '7');
  std::size_t last = 0;
  const auto result =
      measure_perplexity(transformer, {}, text, 4, 4, [&](std::size_t done, std::size_t all) {
        EXPECT_GT(done, last);
        EXPECT_EQ(all, 25U);  // 99 targets
        last = done;
      });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(last, 25U);
}

}  // namespace
}  // namespace bankai::model
