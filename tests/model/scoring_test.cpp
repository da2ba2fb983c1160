#include "model/scoring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::random_tokens;

constexpr std::size_t kVocabulary = 299;

// ln P of every token of a row of logits, in double precision.
std::vector<double> log_softmax(std::span<const float> logits) {
  double total = 0.0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  std::vector<double> out;
  for (const float logit : logits) out.push_back(static_cast<double>(logit) - std::log(total));
  return out;
}

class Scoring : public ::testing::Test {
 protected:
  Scoring()
      : model_(bankai::testing::make_small_model({})),
        transformer_(*model_, best_kernels(), a16()) {}

  // Residual rows at the top of the model.
  std::vector<float> residual(std::span<const TokenId> tokens) {
    const Hyperparameters& h = model_->parameters();
    std::vector<float> x(tokens.size() * h.embedding);
    const Segment segment{0, tokens.size(), nullptr, 0};
    transformer_.embed(tokens, {}, x.data());
    transformer_.run_layers(0, h.num_layers, {&segment, 1}, {}, x.data());
    return x;
  }

  std::shared_ptr<const Model> model_;
  Transformer transformer_;
};

TEST_F(Scoring, LogSumExpIsExactWhateverTheOffset) {
  for (const kernels::KernelTable* table : runnable_kernels()) {
    for (const float offset : {0.0F, 80.0F, -500.0F, 10000.0F}) {
      std::vector<float> logits;
      for (int i = 0; i < 1000; ++i) logits.push_back(offset + static_cast<float>(i % 37) / 8.0F);
      double total = 0.0;
      for (const float logit : logits) total += std::exp(static_cast<double>(logit - offset));
      EXPECT_NEAR(log_sum_exp(*table, logits), static_cast<double>(offset) + std::log(total), 1e-6)
          << table->name;
    }
  }
}

TEST_F(Scoring, LogProbabilitiesAreThoseOfTheLogits) {
  const auto tokens = random_tokens(30, kVocabulary, 1);
  const std::vector<float> logits = sequence_logits(transformer_, tokens);
  const std::vector<float> x = residual(tokens);
  std::vector<TokenQuery> queries;
  for (std::size_t row = 0; row < tokens.size(); row += 3)
    for (const TokenId token : {0, 17, 298}) queries.push_back({row, token});
  std::vector<double> scores(queries.size());
  Scorer(transformer_).log_probabilities(x.data(), queries, {}, scores);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto row = std::span(logits).subspan(queries[i].row * kVocabulary, kVocabulary);
    EXPECT_NEAR(scores[i], log_softmax(row)[static_cast<std::size_t>(queries[i].token)], 1e-6);
  }
}

TEST_F(Scoring, NoQueriesGiveNoScores) {
  const std::vector<float> x = residual(random_tokens(3, kVocabulary, 1));
  Scorer(transformer_).log_probabilities(x.data(), {}, {}, {});
}

TEST_F(Scoring, VisitsEachRowOnce) {
  const auto tokens = random_tokens(20, kVocabulary, 2);
  const std::vector<float> expected = sequence_logits(transformer_, tokens);
  const std::vector<float> x = residual(tokens);
  ForwardOptions options = a16();
  options.threads = 3;
  Transformer threaded(*model_, best_kernels(), options);
  std::vector<float> seen(expected.size());
  std::atomic<int> visits = 0;
  Scorer(threaded).visit_logits(
      x.data(), tokens.size(), {}, [&](std::size_t i, std::span<const float> logits) {
        ++visits;
        std::copy(logits.begin(), logits.end(),
                  seen.begin() + static_cast<std::ptrdiff_t>(i * kVocabulary));
      });
  EXPECT_EQ(visits, 20);
  EXPECT_EQ(seen, expected);
}

TEST_F(Scoring, SequencesAreScoredAsIfAlone) {
  // Long ones too, so that blocks fill up and a sequence has to wait for the next one.
  std::vector<ScoredSequence> sequences;
  const std::size_t lengths[] = {2, 5, 600, 3, 500, 2, 1100, 17};
  for (std::size_t i = 0; i < std::size(lengths); ++i)
    sequences.push_back({random_tokens(lengths[i], kVocabulary, i), 1 + i % 2});
  const auto together = score_sequences(transformer_, {}, sequences);
  ASSERT_EQ(together.size(), sequences.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto alone = score_sequences(transformer_, {}, std::span(sequences).subspan(i, 1));
    EXPECT_EQ(together[i], alone[0]) << i;
    EXPECT_EQ(together[i].size(), sequences[i].num_targets());
  }
}

TEST_F(Scoring, TargetsArePredictedFromWhatIsBeforeThem) {
  const ScoredSequence sequence{random_tokens(12, kVocabulary, 4), 5};
  const auto scores = score_sequences(transformer_, {}, {&sequence, 1});
  const std::vector<float> logits = sequence_logits(transformer_, sequence.tokens);
  for (std::size_t i = 0; i < sequence.num_targets(); ++i) {
    const auto row =
        std::span(logits).subspan((sequence.first_target + i - 1) * kVocabulary, kVocabulary);
    const auto target = static_cast<std::size_t>(sequence.tokens[sequence.first_target + i]);
    EXPECT_NEAR(scores[0][i], log_softmax(row)[target], 1e-6);
  }
}

}  // namespace
}  // namespace bankai::model
