#include "bfs/binary_delta.h"

#include <gtest/gtest.h>

#include "model/character_model.h"
#include "model/random_binary_model.h"
#include "tests/bfs/delta_checks.h"

namespace bankai::bfs {
namespace {

using model::BinaryModel;

// Heads of 40 bits end in the middle of words; feed-forward 384 has groups, 3 layers have depth.
constexpr model::BinaryShape kShape{32, 640, 3, 16, 384, 64};
constexpr double kScale = 0.05;

// As perplexity is measured.
std::vector<float> plain_logits(const BinaryModel& model, const model::BinaryOptions& options,
                                const std::vector<model::TokenId>& tokens) {
  model::BinaryTransformer transformer(model, best_table(), {options.tie, options.score, 1});
  model::StrictCharacterModel characters(transformer, kScale, true);
  std::vector<float> logits;
  characters.feed(tokens, false, logits);
  return logits;
}

void expect_exact(const model::BinaryOptions& options) {
  const BinaryModel model = model::random_binary_model(kShape, 3);
  const Objective objective = small_objective(kShape.vocabulary);
  ChangeEvaluator evaluator(
      std::make_unique<BinaryDelta>(model, best_table(), options, kScale, objective.sequences),
      best_table(), options.threads, objective);
  const PlainScores<BinaryModel> plain_scores(
      model, objective, [&](const BinaryModel& changed, const std::vector<model::TokenId>& tokens) {
        return plain_logits(changed, options, tokens);
      });
  const std::vector<patch::Flip> flips = flips_everywhere(model, 3);
  const std::vector<patch::Flip> some = {flips[0], flips[7], flips[33], flips[34], flips[70]};
  expect_plain_scores(evaluator, plain_scores, flips, some);
}

TEST(BinaryDelta, EqualsAPlainPassOfTheChangedModel) { expect_exact({}); }

TEST(BinaryDelta, EqualsAPlainPassUnderOtherRulesAndThreads) {
  expect_exact({model::TieRule::kLatest, model::PointerScore::kPopcount, 2});
}

}  // namespace
}  // namespace bankai::bfs
