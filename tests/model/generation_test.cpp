#include "model/generation.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf_copy.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::random_tokens;
using bankai::testing::SmallShape;

const std::function<bool(TokenId)> kGoOn = [](TokenId) { return true; };

SamplingOptions greedy() {
  SamplingOptions options;
  options.temperature = 0.0;
  return options;
}

class Generation : public ::testing::Test {
 protected:
  Generation()
      : model_(bankai::testing::make_small_model({})),
        transformer_(*model_, best_kernels(), a8()) {}

  // One full pass per token, without a cache.
  std::vector<TokenId> slow_greedy(std::vector<TokenId> tokens, std::size_t count) {
    const std::size_t first = tokens.size();
    while (tokens.size() < first + count) {
      const std::vector<float> logits = sequence_logits(transformer_, tokens);
      const TokenId next = greedy_token(std::span(logits).last(model_->parameters().vocabulary));
      if (model_->tokenizer().is_end_of_generation(next)) break;
      tokens.push_back(next);
    }
    return {tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.end()};
  }

  std::shared_ptr<const Model> model_;
  Transformer transformer_;
};

TEST_F(Generation, GreedyTokensAreThoseOfFullPasses) {
  for (const std::size_t length : {1U, 2U, 31U}) {
    const auto prompt = random_tokens(length, 299, length);
    EXPECT_EQ(generate(transformer_, {}, prompt, 12, greedy(), kGoOn), slow_greedy(prompt, 12));
  }
}

TEST_F(Generation, PromptsLongerThanABlockAreFedInPieces) {
  const auto prompt = random_tokens(1025, 299, 1);
  EXPECT_EQ(generate(transformer_, {}, prompt, 2, greedy(), kGoOn), slow_greedy(prompt, 2));
}

TEST_F(Generation, StopsWhenTold) {
  const auto prompt = random_tokens(5, 299, 3);
  const auto all = generate(transformer_, {}, prompt, 10, greedy(), kGoOn);
  ASSERT_EQ(all.size(), 10U);
  EXPECT_TRUE(generate(transformer_, {}, prompt, 0, greedy(), kGoOn).empty());
  std::vector<TokenId> seen;
  const auto some = generate(transformer_, {}, prompt, 10, greedy(), [&](TokenId token) {
    seen.push_back(token);
    return seen.size() < 4;
  });
  EXPECT_EQ(some, std::vector<TokenId>(all.begin(), all.begin() + 4));
  EXPECT_EQ(seen, some);
}

TEST_F(Generation, SamplingIsAFunctionOfTheSeed) {
  const auto prompt = random_tokens(5, 299, 3);
  SamplingOptions options;
  options.temperature = 2.0;
  const auto first = generate(transformer_, {}, prompt, 20, options, kGoOn);
  EXPECT_EQ(generate(transformer_, {}, prompt, 20, options, kGoOn), first);
  options.seed = 43;
  EXPECT_NE(generate(transformer_, {}, prompt, 20, options, kGoOn), first);
}

TEST_F(Generation, ManySequencesTogetherEqualEachAlone) {
  // More than are advanced together, of many lengths, and each wants another number of tokens.
  std::vector<std::vector<TokenId>> prompts;
  for (std::size_t i = 0; i < 70; ++i) prompts.push_back(random_tokens(1 + i * 7 % 40, 299, i));
  prompts.push_back(random_tokens(700, 299, 99));
  const auto wanted = [](std::size_t i) { return 1 + i % 6; };
  const auto together = generate_greedy(transformer_, {}, prompts,
                                        [&](std::size_t i, const std::vector<TokenId>& tokens) {
                                          return tokens.size() >= wanted(i);
                                        });
  ASSERT_EQ(together.size(), prompts.size());
  for (const int threads : {2, 5}) {  // groups of 18 and fewer, each on a thread of its own
    Transformer many(*model_, best_kernels(),
                     {kernels::ActivationMode::kA8, KvType::kF16, threads});
    EXPECT_EQ(generate_greedy(many, {}, prompts,
                              [&](std::size_t i, const std::vector<TokenId>& tokens) {
                                return tokens.size() >= wanted(i);
                              }),
              together);
  }
  for (std::size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(together[i], generate(transformer_, {}, prompts[i], wanted(i), greedy(), kGoOn)) << i;
  EXPECT_TRUE(
      generate_greedy(transformer_, {}, {}, [](std::size_t, const auto&) { return true; }).empty());
}

TEST_F(Generation, ReplacedRowsAreInForce) {
  RowOverlay overlay;
  for (std::size_t row = 0; row < 200; row += 2)
    overlay.flip_row(*model_, {1, Projection::kGate}, row);
  const auto prompt = random_tokens(9, 299, 5);
  const Replacements patched{&overlay, {}};
  const auto plain = generate(transformer_, {}, prompt, 16, greedy(), kGoOn);
  const auto changed = generate(transformer_, patched, prompt, 16, greedy(), kGoOn);
  EXPECT_NE(plain, changed);
  const std::vector<std::vector<TokenId>> prompts = {prompt};
  EXPECT_EQ(generate_greedy(transformer_, patched, prompts,
                            [](std::size_t, const std::vector<TokenId>& tokens) {
                              return tokens.size() == 16;
                            })[0],
            changed);
}

TEST_F(Generation, EndsBeforeAnEndOfGenerationToken) {
  // The same weights under another end token: the fourth that the model generates.
  const auto prompt = random_tokens(6, 299, 8);
  const auto all = generate(transformer_, {}, prompt, 8, greedy(), kGoOn);
  const std::size_t position = 3;
  ASSERT_EQ(std::find(all.begin(), all.end(), all[position]) - all.begin(), position)
      << "choose another prompt: the token comes twice";
  const bankai::testing::TempDir folder;
  const GgufEdit edit{"tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(all[position])};
  ASSERT_TRUE(
      copy_gguf(model_->file(), {&edit, 1}, nullptr, folder.path("m"), Overwrite::kRefuse).ok());
  const auto ending = Model::load(folder.path("m"));
  ASSERT_TRUE(ending.ok()) << ending.error().message;
  Transformer transformer(**ending, best_kernels(), a8());
  const std::vector<TokenId> expected(all.begin(), all.begin() + position);
  EXPECT_EQ(generate(transformer, {}, prompt, 8, greedy(), kGoOn), expected);
  const std::vector<std::vector<TokenId>> prompts = {prompt};
  EXPECT_EQ(
      generate_greedy(transformer, {}, prompts, [](std::size_t, const auto&) { return false; })[0],
      expected);
}

TEST(GenerationVocabulary, RowsWithoutATokenAreNeverChosen) {
  // Embeddings are padded in some files: the head then has rows that no token of the tokenizer has.
  SmallShape shape;
  shape.tokenizer_tokens = 260;
  shape.vocabulary = 2000;
  const auto model = bankai::testing::make_small_model(shape);
  Transformer transformer(*model, best_kernels(), a8());
  const std::vector<std::vector<TokenId>> prompts = {random_tokens(4, 260, 1),
                                                     random_tokens(5, 260, 2)};
  SamplingOptions sampling;
  sampling.top_k = 0;
  sampling.temperature = 5.0;
  for (const SamplingOptions& options : {greedy(), sampling})
    for (const TokenId token : generate(transformer, {}, prompts[0], 20, options, kGoOn))
      EXPECT_LT(token, 260);
  const auto together = generate_greedy(
      transformer, {}, prompts,
      [](std::size_t, const std::vector<TokenId>& tokens) { return tokens.size() == 20; });
  for (const auto& tokens : together)
    for (const TokenId token : tokens) EXPECT_LT(token, 260);
}

}  // namespace
}  // namespace bankai::model
