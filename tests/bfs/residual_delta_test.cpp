#include "bfs/residual_delta.h"

#include <gtest/gtest.h>

#include "tests/bfs/delta_checks.h"

namespace bankai::bfs {
namespace {

using model::BinaryResidualModel;
using model::BinaryResidualRules;

// Heads of 24 bits end in the middle of words; the feed-forward has two groups, the width three.
constexpr model::BinaryShape kShape{32, 384, 3, 16, 256, 64};

std::vector<float> plain_logits(const BinaryResidualModel& model,
                                const std::vector<model::TokenId>& tokens) {
  model::BinaryCache cache(kShape);
  return model::BinaryResidualTransformer(model, best_table(), 1).run(tokens, cache);
}

void expect_exact(const BinaryResidualRules& rules, int threads) {
  BinaryResidualModel model = model::random_binary_residual(kShape, rules, 3);
  for (std::size_t i = 0; i < model.layers[1].gate.scale.size(); i += 3)
    model.layers[1].gate.scale[i] *= -1.0F;  // rows that fall
  for (std::size_t i = 0; i < model.layers[0].o.scale.size(); i += 5)
    model.layers[0].o.scale[i] *= -1.0F;
  const Objective objective = small_objective(kShape.vocabulary);
  ChangeEvaluator evaluator(
      std::make_unique<ResidualDelta>(model, best_table(), threads, objective.sequences),
      best_table(), threads, objective);
  const PlainScores<BinaryResidualModel> plain_scores(model, objective, plain_logits);
  const std::vector<patch::Flip> flips = flips_everywhere(model, 2);
  const std::vector<patch::Flip> some = {flips[0], flips[6], flips[17], flips[34], flips.back()};
  expect_plain_scores(evaluator, plain_scores, flips, some);
}

TEST(ResidualDelta, EqualsAPlainPassOfTheChangedModel) { expect_exact({}, 1); }

TEST(ResidualDelta, EqualsAPlainPassOfParallelBlocksWithThreads) {
  BinaryResidualRules rules;
  rules.parallel_block = true;
  rules.tie = model::TieRule::kLatest;
  expect_exact(rules, 2);
}

TEST(ResidualDelta, EqualsAPlainPassUnderOtherRules) {
  BinaryResidualRules rules;
  rules.offset_before_scale = true;
  rules.divide_by_root = true;
  rules.slope_denominator = 4;
  expect_exact(rules, 1);
}

}  // namespace
}  // namespace bankai::bfs
