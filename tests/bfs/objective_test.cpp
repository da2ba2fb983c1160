#include "bfs/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "bfs/answer.h"
#include "bfs/evaluator.h"
#include "model/perplexity.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

using model::TokenId;

constexpr std::size_t kContext = 16;
// Scores are double sums of float logits and float exponentials.
constexpr double kTolerance = 1e-5;

const model::Tokenizer& tokenizer() { return demo_model().tokenizer(); }
ObjectiveBuilder make_builder() { return {tokenizer(), kContext}; }

std::vector<double> scores_of(const Objective& objective) {
  model::Transformer transformer = make_transformer(demo_model());
  const Evaluator evaluator(transformer, objective, {});
  return {evaluator.base_scores().begin(), evaluator.base_scores().end()};
}

double reference(const std::vector<TokenId>& prompt, const std::vector<TokenId>& continuation) {
  model::Transformer transformer = make_transformer(demo_model());
  return reference_log_probability(transformer, prompt, continuation);
}

// Prompt and answer as tokens, for probes whose answers merge with nothing.
std::vector<TokenId> tokens_of(const std::string& text) { return tokenizer().encode(text); }

TEST(Metric, names_lead_back) {
  for (const MetricName& entry : all_metrics()) {
    EXPECT_EQ(find_metric(entry.name), entry.metric);
    EXPECT_EQ(metric_name(entry.metric), entry.name);
    EXPECT_FALSE(entry.help.empty());
  }
  EXPECT_EQ(find_metric("NLL"), std::nullopt);
}

TEST(Objective, a_probability_is_e_to_the_log_probability) {
  ObjectiveBuilder builder = make_builder();
  const Probe probe{"p", "", "12 + 30 =", " 42", " 43", {}};
  for (const Metric metric : {Metric::kNll, Metric::kProbability})
    ASSERT_TRUE(builder.add_probe(probe, metric, 1.0, false, {}).ok());
  ASSERT_TRUE(builder.add_text("t", "12 + 30 = 42", Metric::kProbability, 1.0, false).ok());
  const Objective objective = std::move(builder).build();
  const std::vector<double> scores = scores_of(objective);
  EXPECT_LT(scores[0], 0.0);
  EXPECT_NEAR(scores[1], std::exp(scores[0]), 1e-12);
  EXPECT_LT(scores[2], 0.0) << "texts keep their log-probability";
  EXPECT_EQ(item_score(objective.items[1], 1e-9), 1.0);
  EXPECT_TRUE(std::isnan(item_score(objective.items[1], std::nan(""))));
}

TEST(Objective, has_one_term_per_answer_token) {
  ObjectiveBuilder builder = make_builder();
  const Probe probe{"p", "", "12 + 30 =", " 42", " 43", {}};
  ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, 2.5, true, {}).ok());
  const Objective objective = std::move(builder).build();
  const std::vector<TokenId> whole = tokens_of("12 + 30 = 42");
  const std::size_t prompt_size = tokens_of("12 + 30 =").size();
  ASSERT_EQ(objective.sequences.size(), 1U);
  EXPECT_EQ(objective.sequences[0], std::vector<TokenId>(whole.begin(), whole.end() - 1));
  ASSERT_EQ(objective.terms.size(), whole.size() - prompt_size);
  for (std::size_t i = 0; i < objective.terms.size(); ++i) {
    EXPECT_EQ(objective.terms[i].sequence, 0U);
    EXPECT_EQ(objective.terms[i].row, prompt_size - 1 + i);
    EXPECT_EQ(objective.terms[i].token, whole[prompt_size + i]);
    EXPECT_EQ(objective.terms[i].coefficient, 1.0);
  }
  ASSERT_EQ(objective.items.size(), 1U);
  EXPECT_EQ(objective.items[0].name, "p");
  EXPECT_EQ(objective.items[0].weight, 2.5);
  EXPECT_TRUE(objective.items[0].is_control);
  EXPECT_EQ(objective.items[0].first_term, 0U);
  EXPECT_EQ(objective.items[0].last_term, objective.terms.size());
  EXPECT_EQ(objective.num_tokens(), whole.size() - 1);
}

TEST(Objective, nll_is_the_log_probability_of_the_right_answer) {
  ObjectiveBuilder builder = make_builder();
  const std::vector<Probe> probes = demo_probes("sums.search", 0, 3);
  for (const Probe& probe : probes)
    ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
  const std::vector<double> scores = scores_of(std::move(builder).build());
  for (std::size_t i = 0; i < probes.size(); ++i)
    EXPECT_NEAR(scores[i], reference(tokens_of(probes[i].prompt), tokens_of(probes[i].correct)),
                kTolerance);
}

TEST(Objective, seq_logprob_is_right_minus_wrong) {
  ObjectiveBuilder builder = make_builder();
  const std::vector<Probe> probes = demo_probes("calculus.search", 0, 3);
  for (const Probe& probe : probes)
    ASSERT_TRUE(builder.add_probe(probe, Metric::kSeqLogprob, 1.0, false, {}).ok());
  const std::vector<double> scores = scores_of(std::move(builder).build());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const std::vector<TokenId> prompt = tokens_of(probes[i].prompt);
    EXPECT_NEAR(scores[i],
                reference(prompt, tokens_of(probes[i].correct)) -
                    reference(prompt, tokens_of(probes[i].wrong)),
                kTolerance);
  }
}

TEST(Objective, token_gap_compares_the_last_subtokens_after_the_prompt) {
  ObjectiveBuilder builder = make_builder();
  const Probe probe{"p", "", "12 + 30 =", " 42", " 57", {}};
  ASSERT_TRUE(builder.add_probe(probe, Metric::kTokenGap, 1.0, false, {}).ok());
  const Objective objective = std::move(builder).build();
  ASSERT_EQ(objective.sequences.size(), 1U);
  EXPECT_EQ(objective.sequences[0], tokens_of(probe.prompt));
  model::Transformer transformer = make_transformer(demo_model());
  const std::vector<double> logs =
      reference_log_probabilities(transformer, tokens_of(probe.prompt));
  const auto last = [&](const std::string& answer) {
    return logs[static_cast<std::size_t>(tokens_of(answer).back())];
  };
  EXPECT_NEAR(scores_of(objective)[0], last("2") - last("7"), kTolerance);
}

TEST(Objective, margin_is_right_minus_the_given_rival) {
  ObjectiveBuilder builder = make_builder();
  const Probe probe = demo_probes("capitals", 0, 1)[0];
  const Rival rival = tokens_of(" Timbuktu");
  ASSERT_TRUE(builder.add_probe(probe, Metric::kMargin, 1.0, false, rival).ok());
  const std::vector<TokenId> prompt = tokens_of(probe.prompt);
  EXPECT_NEAR(scores_of(std::move(builder).build())[0],
              reference(prompt, tokens_of(probe.correct)) - reference(prompt, rival), kTolerance);
}

TEST(Objective, only_two_metrics_need_a_wrong_answer) {
  const Probe probe{"lonely", "", "12 + 30 =", " 42", "", {}};
  for (const MetricName& entry : all_metrics()) {
    ObjectiveBuilder builder = make_builder();
    const Status added = builder.add_probe(probe, entry.metric, 1.0, false, tokens_of(" 7"));
    const bool needs_wrong =
        entry.metric == Metric::kSeqLogprob || entry.metric == Metric::kTokenGap;
    ASSERT_EQ(added.ok(), !needs_wrong) << entry.name;
    if (!needs_wrong) continue;
    EXPECT_EQ(added.error().code, ErrorCode::kBadInput);
    EXPECT_NE(added.error().message.find("lonely"), std::string::npos);
    EXPECT_TRUE(std::move(builder).build().items.empty());
  }
}

TEST(Objective, items_know_their_source) {
  const Probe probe{"p", "", "2 + 2 =", " 4", "", {}};
  ObjectiveBuilder builder = make_builder();
  for (const std::uint32_t set : {0U, 3U}) {
    if (set > 0) builder.begin_set(set);
    ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
    ASSERT_TRUE(builder.add_text("t", "2 + 2 = 4.", Metric::kNll, 1.0, false).ok());
  }
  const Objective objective = std::move(builder).build();
  for (std::size_t i = 0; i < objective.items.size(); ++i)
    EXPECT_EQ(objective.items[i].set, i < objective.items.size() / 2 ? 0U : 3U);
}

TEST(Objective, equal_inputs_are_one_sequence) {
  ObjectiveBuilder builder = make_builder();
  const Probe probe{"p", "", "12 + 30 =", " 42", " 42.", {}};
  ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
  ASSERT_TRUE(builder.add_probe(probe, Metric::kKl, 1.0, true, {}).ok());
  EXPECT_EQ(std::move(builder).build().sequences.size(), 1U);
}

TEST(Objective, a_text_is_its_windows_and_their_weighted_mean_is_the_mean_of_the_text) {
  const std::string line = "The capital of France is Paris. 2 + 2 = 4. ";
  for (std::size_t repeats = 1; repeats <= 4; ++repeats) {
    std::string text;
    for (std::size_t i = 0; i < repeats; ++i) text += line;
    ObjectiveBuilder builder = make_builder();
    constexpr double kWeight = 1.75;
    ASSERT_TRUE(builder.add_text("t", text, Metric::kNll, kWeight, false).ok());
    const Objective objective = std::move(builder).build();
    const std::vector<double> scores = scores_of(objective);
    double weight = 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < objective.items.size(); ++i) {
      EXPECT_EQ(objective.items[i].name, "t#" + std::to_string(i));
      weight += objective.items[i].weight;
      sum += objective.items[i].weight * scores[i];
    }
    EXPECT_NEAR(weight, kWeight * static_cast<double>(objective.items.size()), 1e-12);
    model::Transformer transformer = make_transformer(demo_model());
    const auto perplexity = model::measure_perplexity(transformer, {}, text, kContext, kContext,
                                                      [](std::size_t, std::size_t) {});
    ASSERT_TRUE(perplexity.ok());
    EXPECT_EQ(objective.terms.size(), perplexity->tokens_scored);
    EXPECT_NEAR(sum / weight, -perplexity->nll, 1e-9);
  }
}

TEST(Objective, windows_meet_at_every_length_of_text) {
  const std::vector<TokenId> all = tokens_of(
      "The capital of France is Paris. The capital of Spain "
      "is Madrid. 12 + 30 = 42. 12 - 3 = 9. 12 + 3 = 15.");
  ASSERT_GT(all.size(), 2 * kContext + 2);
  for (std::size_t count = 2; count <= 2 * kContext + 2; ++count) {
    const std::string text = tokenizer().decode(std::span(all).first(count));
    const std::size_t num_tokens = tokens_of(text).size();
    ObjectiveBuilder builder = make_builder();
    ASSERT_TRUE(builder.add_text("t", text, Metric::kNll, 1.0, false).ok());
    const Objective objective = std::move(builder).build();
    EXPECT_EQ(objective.terms.size(), num_tokens - 1);
    EXPECT_EQ(objective.items.size(), (num_tokens - 1 + kContext - 1) / kContext);
    for (const std::vector<TokenId>& sequence : objective.sequences)
      EXPECT_LE(sequence.size(), kContext);
    for (const Term& term : objective.terms)
      EXPECT_LT(term.row, objective.sequences[term.sequence].size());
  }
}

TEST(Objective, a_text_of_less_than_two_tokens_is_refused) {
  for (const char* text : {"", "a"}) {
    ObjectiveBuilder builder = make_builder();
    const Status added = builder.add_text("short.txt", text, Metric::kNll, 1.0, false);
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().code, ErrorCode::kBadInput);
    EXPECT_NE(added.error().message.find("short.txt"), std::string::npos);
  }
}

}  // namespace
}  // namespace bankai::bfs
