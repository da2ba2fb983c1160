// Divergences from the unpatched model, through the evaluator.
#include "bfs/term_scorer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bfs/answer.h"
#include "bfs/evaluator.h"
#include "bfs/overlay.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

using model::TokenId;
using patch::Flip;

// Σ p (ln p − ln q) over the vocabulary after the same inputs.
double reference_divergence(model::Transformer& unpatched, model::Transformer& patched,
                            std::span<const TokenId> inputs) {
  const std::vector<double> p = reference_log_probabilities(unpatched, inputs);
  const std::vector<double> q = reference_log_probabilities(patched, inputs);
  double sum = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

Objective kl_objective(const std::vector<Probe>& probes) {
  ObjectiveBuilder builder(demo_model().tokenizer(), 16);
  for (const Probe& probe : probes)
    EXPECT_TRUE(builder.add_probe(probe, Metric::kKl, 1.0, true, {}).ok());
  EXPECT_TRUE(builder
                  .add_text("text", "The capital of France is Paris. 2 + 2 = 4. 7 is odd.",
                            Metric::kKl, 1.0, true)
                  .ok());
  return std::move(builder).build();
}

const std::vector<Flip> kFlips = {
    patch::row_flip({5, Projection::kGate}, 10), patch::row_flip({0, Projection::kKey}, 3),
    patch::group_flip({3, Projection::kDown}, 9, 4), patch::bit_flip({5, Projection::kUp}, 2, 77)};

TEST(Divergence, of_the_unpatched_model_is_exactly_zero) {
  for (const kernels::ActivationMode mode :
       {kernels::ActivationMode::kA8, kernels::ActivationMode::kA16}) {
    const Objective objective = kl_objective(demo_probes("sums.search", 0, 3));
    model::Transformer transformer = make_transformer(demo_model(), mode);
    Evaluator evaluator(transformer, objective, layer_tensors({5}));
    for (const double score : evaluator.base_scores()) EXPECT_EQ(score, 0.0);
    for (const double score : evaluator.evaluate_overlay({})) EXPECT_EQ(score, 0.0);
    const Flip flip = patch::row_flip({5, Projection::kGate}, 10);
    evaluator.set_state(make_overlay(demo_model(), {&flip, 1}));
    for (const double score : evaluator.evaluate_flips({&flip, 1})) EXPECT_EQ(score, 0.0);
  }
}

TEST(Divergence, of_a_flip_is_that_of_the_two_distributions) {
  const std::vector<Probe> probes = demo_probes("sums.search", 0, 2);
  const Objective objective = kl_objective(probes);
  model::Transformer unpatched = make_transformer(demo_model());
  Evaluator evaluator(unpatched, objective, layer_tensors({0, 3, 5}));
  const std::vector<double> scores = evaluator.evaluate_flips(kFlips);
  const std::size_t items = objective.items.size();
  for (std::size_t f = 0; f < kFlips.size(); ++f) {
    const FlippedModel flipped(demo_model(), {&kFlips[f], 1});
    model::Transformer patched = make_transformer(flipped.model());
    for (std::size_t i = 0; i < items; ++i) {
      const double score = scores[f * items + i];
      // No divergence is negative; that of a single bit may drown in the rounding of 1e-8.
      EXPECT_LT(score, kFlips[f].kind == patch::FlipKind::kBit ? 1e-7 : 0.0);
      double sum = 0.0;
      const Item& item = objective.items[i];
      for (std::size_t t = item.first_term; t < item.last_term; ++t) {
        const Term& term = objective.terms[t];
        sum += reference_divergence(
            unpatched, patched, std::span(objective.sequences[term.sequence]).first(term.row + 1));
      }
      const double mean = sum / static_cast<double>(item.last_term - item.first_term);
      EXPECT_NEAR(score, -mean, 1e-6 + 1e-5 * mean) << to_string(kFlips[f]);
    }
  }
}

TEST(Divergence, of_a_flip_is_bit_equal_however_it_is_evaluated) {
  const Objective objective = kl_objective(demo_probes("sums.search", 0, 2));
  model::Transformer transformer = make_transformer(demo_model());
  Evaluator evaluator(transformer, objective, layer_tensors({0, 3, 5}));
  const std::vector<double> scores = evaluator.evaluate_flips(kFlips);
  const std::size_t items = objective.items.size();
  for (std::size_t f = 0; f < kFlips.size(); ++f) {
    const std::vector<double> overlay_scores =
        evaluator.evaluate_overlay(make_overlay(demo_model(), {&kFlips[f], 1}));
    for (std::size_t i = 0; i < items; ++i) EXPECT_EQ(scores[f * items + i], overlay_scores[i]);
  }
}

// Divergences and log-probabilities of the same row, and terms given out of order.
TEST(TermScorer, terms_may_share_rows_and_come_in_any_order) {
  const std::vector<TokenId> inputs = demo_model().tokenizer().encode("12 + 30 = 4");
  Objective objective;
  objective.sequences = {inputs, {inputs.begin(), inputs.end() - 2}};
  const auto last = static_cast<std::uint32_t>(inputs.size() - 1);
  objective.terms = {{0, last, 5, 1.0},  {1, 2, 6, 1.0},
                     {0, 1, 7, 2.0},     {0, last, kWholeDistribution, -1.0},
                     {0, last, 8, -1.0}, {1, 0, 9, 1.0}};
  objective.items = {
      {"all", 1.0, false, 0, 4}, {"rest", 1.0, true, 4, 6}, {"none", 1.0, true, 6, 6}};
  model::Transformer transformer = make_transformer(demo_model());
  const Evaluator evaluator(transformer, objective, {});
  const auto log_probability = [&](std::size_t row, std::size_t token) {
    return reference_log_probabilities(transformer, std::span(inputs).first(row + 1))[token];
  };
  ASSERT_EQ(evaluator.base_scores().size(), 3U);
  EXPECT_NEAR(evaluator.base_scores()[0],
              log_probability(last, 5) + log_probability(2, 6) + 2.0 * log_probability(1, 7), 1e-5);
  EXPECT_NEAR(evaluator.base_scores()[1], log_probability(0, 9) - log_probability(last, 8), 1e-5);
  EXPECT_EQ(evaluator.base_scores()[2], 0.0);
}

}  // namespace
}  // namespace bankai::bfs
