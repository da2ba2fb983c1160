#include "bfs/answer_check.h"

#include <gtest/gtest.h>

#include "bfs/answer.h"
#include "bfs/overlay.h"
#include "model/generation.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

TEST(WilsonInterval, gives_known_values) {
  // Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no correction).
  const struct {
    std::size_t successes, trials;
    double low, high;
  } known[] = {{81, 263, 0.2553, 0.3662},
               {15, 148, 0.0624, 0.1605},
               {0, 20, 0.0, 0.1611},
               {1, 29, 0.0061, 0.1718}};
  for (const auto& [successes, trials, low, high] : known) {
    const Interval interval = wilson_interval(successes, trials);
    EXPECT_NEAR(interval.low, low, 5e-5);
    EXPECT_NEAR(interval.high, high, 5e-5);
  }
}

TEST(WilsonInterval, is_symmetric_and_holds_the_proportion) {
  for (std::size_t trials = 1; trials < 40; ++trials) {
    for (std::size_t successes = 0; successes <= trials; ++successes) {
      const Interval interval = wilson_interval(successes, trials);
      const Interval mirrored = wilson_interval(trials - successes, trials);
      const double p = static_cast<double>(successes) / static_cast<double>(trials);
      EXPECT_LE(interval.low, p + 1e-12);
      EXPECT_GE(interval.high, p - 1e-12);
      EXPECT_GE(interval.low, 0.0);
      EXPECT_LE(interval.high, 1.0);
      EXPECT_NEAR(interval.low, 1.0 - mirrored.high, 1e-12);
    }
  }
}

TEST(WilsonInterval, knows_nothing_without_trials) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
}

TEST(CompareAnswers, lists_what_was_fixed_and_what_was_broken) {
  const std::vector<Answer> before = {{"a", false}, {"b", true}, {"c", false}, {"d", true}};
  const std::vector<Answer> after = {{"a", true}, {"b", false}, {"c", false}, {"d", true}};
  const AnswerChange change = compare_answers(before, after);
  EXPECT_EQ(change.fixed, std::vector<std::size_t>{0});
  EXPECT_EQ(change.broken, std::vector<std::size_t>{1});
  EXPECT_EQ(count_correct(before), 2U);
  EXPECT_EQ(count_correct({}), 0U);
}

// The greedy continuation of one prompt, without any sharing: text up to the first newline.
std::string answer_alone(model::Transformer& transformer, const model::RowOverlay& overlay,
                         const Probe& probe, std::size_t limit) {
  const model::Tokenizer& tokenizer = transformer.model().tokenizer();
  std::string text;
  model::generate(transformer, {&overlay, {}}, prompt_tokens(tokenizer, probe), limit,
                  {.temperature = 0.0}, [&](model::TokenId token) {
                    text += tokenizer.decode(token);
                    return text.find('\n') == std::string::npos;
                  });
  return text.substr(0, text.find('\n'));
}

TEST(GenerateAnswers, equal_those_of_each_prompt_alone) {
  std::vector<Probe> probes = demo_probes("sums.search", 0, 6);
  for (const Probe& probe : demo_probes("calculus.search", 0, 4)) probes.push_back(probe);
  for (const kernels::ActivationMode mode :
       {kernels::ActivationMode::kA8, kernels::ActivationMode::kA16}) {
    model::Transformer transformer = make_transformer(demo_model(), mode);
    const std::vector<patch::Flip> flips = {patch::row_flip({5, Projection::kGate}, 3),
                                            patch::row_flip({5, Projection::kUp}, 700)};
    for (const model::RowOverlay& overlay :
         {model::RowOverlay(), make_overlay(demo_model(), flips)}) {
      const std::vector<Answer> answers = generate_answers(transformer, {&overlay, {}}, probes, {});
      ASSERT_EQ(answers.size(), probes.size());
      for (std::size_t i = 0; i < probes.size(); ++i) {
        const std::size_t limit = answer_token_limit(demo_model().tokenizer(), probes[i]);
        EXPECT_EQ(answers[i].generated, answer_alone(transformer, overlay, probes[i], limit));
        EXPECT_EQ(answers[i].correct, is_correct_answer(probes[i], answers[i].generated));
      }
    }
  }
}

TEST(GenerateAnswers, only_verdicts_are_the_same_by_fewer_tokens) {
  model::Transformer transformer = make_transformer(demo_model());
  std::vector<Probe> probes = demo_probes("control", 0, 40);
  for (std::size_t i = 0; i < probes.size(); i += 4) probes[i].correct = "no such answer";
  const std::vector<Answer> whole = generate_answers(transformer, {}, probes, {});
  const std::vector<Answer> verdicts = generate_answers(transformer, {}, probes, {0, true});
  std::size_t shorter = 0;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    EXPECT_EQ(verdicts[i].correct, whole[i].correct) << probes[i].name;
    EXPECT_TRUE(whole[i].generated.starts_with(verdicts[i].generated));
    if (verdicts[i].generated.size() < whole[i].generated.size()) ++shorter;
  }
  EXPECT_GE(shorter, 5U);
}

TEST(GenerateAnswers, know_the_capitals_and_stop_at_the_limit) {
  model::Transformer transformer = make_transformer(demo_model());
  const std::vector<Probe> probes = demo_probes("capitals", 0, 12);
  EXPECT_EQ(count_correct(generate_answers(transformer, {}, probes, {})), probes.size());
  const std::vector<Answer> short_answers = generate_answers(transformer, {}, probes, {1});
  for (std::size_t i = 0; i < probes.size(); ++i)
    EXPECT_EQ(short_answers[i].generated, answer_alone(transformer, {}, probes[i], 1));
  EXPECT_TRUE(generate_answers(transformer, {}, {}, {}).empty());
}

// Counted by hand: the ways in which n coins show at least so many heads.
TEST(ChanceOf, is_the_upper_tail_of_fair_coins) {
  EXPECT_NEAR(chance_of(0, 0), 1.0, 1e-12);
  EXPECT_NEAR(chance_of(1, 0), 0.5, 1e-12);
  EXPECT_NEAR(chance_of(2, 1), 4.0 / 8.0, 1e-12);
  EXPECT_NEAR(chance_of(5, 1), 7.0 / 64.0, 1e-12);
  EXPECT_NEAR(chance_of(0, 7), 1.0, 1e-12);
  EXPECT_LT(chance_of(600, 400), 1e-9);
  EXPECT_GT(chance_of(500, 500), 0.5);
}

}  // namespace
}  // namespace bankai::bfs
