#include "bfs/answer.h"

#include <gtest/gtest.h>

#include "tests/bfs/demo_data.h"
#include "tests/support/temp_dir.h"

namespace bankai::bfs {
namespace {

using model::ScoredSequence;
using model::Tokenizer;

Probe probe_with(std::string correct, std::vector<std::string> alternates = {}) {
  return {"p", "test", "What?", std::move(correct), "", std::move(alternates)};
}

const Tokenizer& tokenizer() { return demo_model().tokenizer(); }

TEST(NormaliseAnswer, drops_white_space_and_brackets_and_lowers_case) {
  EXPECT_EQ(normalise_answer(""), "");
  EXPECT_EQ(normalise_answer(" \t\n\r\v\f"), "");
  EXPECT_EQ(normalise_answer("(a){b}[c]*d*"), "abcd");
  EXPECT_EQ(normalise_answer(" Paris, FRANCE"), "paris,france");
  EXPECT_EQ(normalise_answer("3 * x^2 + C"), "3x^2+c");
  EXPECT_EQ(normalise_answer("@Z[`az{"), "@z`az");  // the letters' neighbours in ASCII
  EXPECT_EQ(normalise_answer("1/2 - 3.5"), "1/2-3.5");
}

TEST(NormaliseAnswer, spells_the_radical_sign_and_keeps_other_characters) {
  EXPECT_EQ(normalise_answer("√2"), "sqrt2");
  EXPECT_EQ(normalise_answer("2√(x) √"), "2sqrtxsqrt");
  EXPECT_EQ(normalise_answer("\xe2\x88"), "\xe2\x88");  // the start of a radical sign
  EXPECT_EQ(normalise_answer("É\xff"), "É\xff");        // ASCII letters alone change case
}

TEST(IsCorrectAnswer, needs_the_answer_at_the_start) {
  EXPECT_TRUE(is_correct_answer(probe_with(" Paris"), " Paris"));
  EXPECT_TRUE(is_correct_answer(probe_with(" Paris"), "paris"));
  EXPECT_TRUE(is_correct_answer(probe_with(" 2*x"), " (2 x)"));
  EXPECT_FALSE(is_correct_answer(probe_with(" Paris"), " In Paris"));
  EXPECT_FALSE(is_correct_answer(probe_with(" Paris"), " Pari"));
  EXPECT_FALSE(is_correct_answer(probe_with(" Paris"), ""));
}

TEST(IsCorrectAnswer, judges_what_follows) {
  const Probe probe = probe_with(" 20");
  // Nothing, the constant of integration, or anything that does not go on with the answer.
  for (const char* rest : {"", " ", "\n", ".", ",", "=", "!", ":", "+ C", "+c", "+C is it", " + c2",
                           "é", "\xff", "$", ".5"})
    EXPECT_TRUE(is_correct_answer(probe, std::string(" 20") + rest)) << rest;
  for (const char* rest : {"0", "9", "x", " x", " and", " A", "^2", "/3", "+1", "+ d", "-1", " - C",
                           "+", "-", "(1)", "√2"})
    EXPECT_FALSE(is_correct_answer(probe, std::string(" 20") + rest)) << rest;
}

TEST(IsCorrectAnswer, accepts_any_alternate_by_the_same_rules) {
  const Probe probe = probe_with(" 1/2", {" 0.5", " one half"});
  EXPECT_TRUE(is_correct_answer(probe, " 1/2."));
  EXPECT_TRUE(is_correct_answer(probe, " 0.5"));
  EXPECT_TRUE(is_correct_answer(probe, " One Half!"));
  EXPECT_FALSE(is_correct_answer(probe, " 0.55"));
  EXPECT_FALSE(is_correct_answer(probe, " one halfway"));
}

TEST(IsCorrectAnswer, an_answer_of_nothing_is_never_given) {
  EXPECT_FALSE(is_correct_answer(probe_with("( )"), ""));
  EXPECT_FALSE(is_correct_answer(probe_with("x", {"", " * "}), "anything"));
}

// An early verdict is that of every text that goes on from there, and comes as soon as it can.
TEST(EarlyVerdict, holds_for_whatever_follows) {
  const Probe probes[] = {probe_with(" Paris"), probe_with(" 20"), probe_with(" √2"),
                          probe_with(" 1/2", {" 0.5", " one half"}), probe_with("x", {"", " * "})};
  const char* const texts[] = {
      " Paris.",         " Pari",        " In Paris", " 20 + c", " 20 + d", " 200",
      " 20\xe2\x88\x9a", " √2.",         " √3",       " sqrt2 ", " 1/2!",   " 1/3",
      " one half ",      " one halfway", " 0.5.",     "x=",      "é",       ""};
  const char* const suffixes[] = {"",    "0",        ".",    "x", "+", "+c",
                                  "+ d", "\x88\x9a", "\x9a", "é", " "};
  for (const Probe& probe : probes)
    for (const std::string text : texts)
      for (std::size_t size = 0; size <= text.size(); ++size) {
        const std::string beginning = text.substr(0, size);
        const std::optional<bool> verdict = early_verdict(probe, beginning);
        if (!verdict) continue;
        EXPECT_EQ(*verdict, is_correct_answer(probe, text)) << beginning;
        for (const char* suffix : suffixes)
          EXPECT_EQ(*verdict, is_correct_answer(probe, beginning + suffix)) << beginning << suffix;
      }
}

TEST(EarlyVerdict, comes_as_soon_as_it_can) {
  EXPECT_EQ(early_verdict(probe_with(" 20"), ""), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 2"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20 +"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20\xe2\x88"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" √2"), " \xe2"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 1/2", {" 1/20"}), " 1/2"), std::nullopt);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20."), true);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20+c"), true);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 3"), false);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 201"), false);
  EXPECT_EQ(early_verdict(probe_with(" 20"), " 20+d"), false);
}

// The measuring instrument itself: each probe can be won, and lost, by what a model may say.
TEST(IsCorrectAnswer, every_demo_probe_can_be_won_and_lost) {
  const char* const files[] = {"arithmetic.heldout",
                               "arithmetic.search",
                               "calculus.heldout",
                               "calculus.search",
                               "capitals",
                               "code",
                               "comparison.heldout",
                               "comparison.search",
                               "control",
                               "elements",
                               "parity.heldout",
                               "parity.search",
                               "primes.heldout",
                               "primes.search",
                               "scenes.heldout",
                               "scenes.search",
                               "sequences.heldout",
                               "sequences.search",
                               "short_capitals.heldout",
                               "short_capitals.search",
                               "stories.heldout",
                               "stories.search",
                               "sums.heldout",
                               "sums.search",
                               "words"};
  for (const char* file : files) {
    const auto data =
        read_data_set(testing::data_path(std::string("demo/probes/") + file + ".json"));
    ASSERT_TRUE(data.ok()) << data.error().message;
    for (const Probe& probe : data->probes) {
      EXPECT_TRUE(is_correct_answer(probe, probe.correct)) << file << ": " << probe.name;
      EXPECT_TRUE(is_correct_answer(probe, probe.correct + ".")) << file << ": " << probe.name;
      EXPECT_FALSE(is_correct_answer(probe, probe.wrong)) << file << ": " << probe.name;
      EXPECT_FALSE(is_correct_answer(probe, "")) << file << ": " << probe.name;
      // The fixed wrong answer differs from the right one also as tokens.
      EXPECT_NE(answer_sequence(tokenizer(), probe, probe.correct).tokens,
                answer_sequence(tokenizer(), probe, probe.wrong).tokens)
          << file << ": " << probe.name;
    }
  }
}

TEST(AnswerSequence, splits_the_whole_after_the_prompt) {
  const Probe probe{"p", "", "12 + 30 =", " 42", "", {}};
  const ScoredSequence sequence = answer_sequence(tokenizer(), probe, probe.correct);
  EXPECT_EQ(sequence.tokens, tokenizer().encode("12 + 30 = 42"));
  EXPECT_EQ(sequence.first_target, tokenizer().encode("12 + 30 =").size());
  EXPECT_EQ(tokenizer().decode(std::span(sequence.tokens).subspan(sequence.first_target)), " 42");
}

TEST(AnswerSequence, encodes_the_answer_alone_where_it_would_merge_with_the_prompt) {
  // "capit" + "al" are one token together, so the prompt's tokens are no prefix of the whole.
  const Probe probe{"p", "", "The capit", "al", "", {}};
  const auto prompt = tokenizer().encode(probe.prompt);
  const auto whole = tokenizer().encode("The capital");
  ASSERT_FALSE(whole.size() > prompt.size() &&
               std::equal(prompt.begin(), prompt.end(), whole.begin()));
  const ScoredSequence sequence = answer_sequence(tokenizer(), probe, probe.correct);
  EXPECT_EQ(sequence.first_target, prompt.size());
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), sequence.tokens.begin()));
  const auto answer = tokenizer().encode("al");
  EXPECT_EQ(std::vector<model::TokenId>(
                sequence.tokens.begin() + static_cast<std::ptrdiff_t>(prompt.size()),
                sequence.tokens.end()),
            answer);
}

TEST(AnswerSequence, always_spells_prompt_and_answer) {
  for (const char* name : {"control", "calculus.search", "sums.search"}) {
    for (const Probe& probe : demo_probes(name, 0, 40)) {
      for (const std::string& answer : {probe.correct, probe.wrong}) {
        const ScoredSequence sequence = answer_sequence(tokenizer(), probe, answer);
        EXPECT_EQ(tokenizer().decode(sequence.tokens), probe.prompt + answer);
        EXPECT_GT(sequence.num_targets(), 0U);
        EXPECT_EQ(sequence.first_target, prompt_tokens(tokenizer(), probe).size());
      }
    }
  }
}

TEST(AnswerTokenLimit, leaves_room_for_the_longest_accepted_answer) {
  EXPECT_EQ(answer_token_limit(tokenizer(), probe_with(" 7")), 14U);
  EXPECT_EQ(answer_token_limit(tokenizer(), probe_with(" 1234567890")), 15U);  // " " and 10 digits
  EXPECT_EQ(answer_token_limit(tokenizer(), probe_with(" 7", {" 1", " 123456789012"})), 17U);
}

}  // namespace
}  // namespace bankai::bfs
