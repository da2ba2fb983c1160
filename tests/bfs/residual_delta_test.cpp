#include "bfs/residual_delta.h"

#include <gtest/gtest.h>

#include "bfs/change_evaluator.h"
#include "bfs/flipped_model.h"
#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "model/binary_matrices.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

using model::BinaryResidualModel;
using model::BinaryResidualRules;
using model::TokenId;
using patch::Flip;
using patch::FlipKind;

// Heads of 24 bits end in the middle of words; the feed-forward has two groups, the width three.
constexpr model::BinaryShape kShape{32, 384, 3, 16, 256, 64};

const kernels::KernelTable& best_table() { return **kernels::select_kernel(""); }

// Three texts as targets, and the distribution over one more as a control.
Objective small_objective() {
  Objective objective;
  const CounterRng random(7);
  for (std::uint32_t s = 0; s < 4; ++s) {
    std::vector<TokenId> tokens;
    for (std::uint32_t i = 0; i < 9 + 4 * s; ++i)
      tokens.push_back(static_cast<TokenId>(random.below(64 * s + i, kShape.vocabulary)));
    const bool is_control = s == 3;
    for (std::uint32_t i = 1; i < tokens.size(); ++i)
      objective.terms.push_back({s, i - 1, is_control ? kWholeDistribution : tokens[i], 0.1});
    tokens.pop_back();
    objective.sequences.push_back(tokens);
    const std::size_t first = objective.items.empty() ? 0 : objective.items.back().last_term;
    objective.items.push_back({"text", 1.0, is_control, first, objective.terms.size(), 0});
  }
  return objective;
}

// Item scores by plain passes of changed models.
class PlainScores {
 public:
  PlainScores(const BinaryResidualModel& unpatched, const Objective& objective)
      : objective_(objective), scorer_(best_table(), objective) {
    visit_terms(unpatched, [&](std::size_t term, std::span<const float> logits) {
      scorer_.record_reference(term, logits);
    });
  }
  std::vector<double> of(const BinaryResidualModel& changed) const {
    std::vector<double> values(objective_.terms.size());
    visit_terms(changed, [&](std::size_t term, std::span<const float> logits) {
      values[term] = scorer_.value(term, logits, model::log_sum_exp(best_table(), logits));
    });
    return scorer_.item_scores(values);
  }

 private:
  template <typename Visit>
  void visit_terms(const BinaryResidualModel& model, const Visit& visit) const {
    const model::BinaryResidualTransformer transformer(model, best_table(), 1);
    for (std::uint32_t s = 0; s < objective_.sequences.size(); ++s) {
      model::BinaryCache cache(kShape);
      const std::vector<float> logits = transformer.run(objective_.sequences[s], cache);
      for (std::size_t i = 0; i < objective_.terms.size(); ++i)
        if (const Term& term = objective_.terms[i]; term.sequence == s)
          visit(i, std::span(logits).subspan(term.row * kShape.vocabulary, kShape.vocabulary));
    }
  }

  const Objective& objective_;
  TermScorer scorer_;
};

// Some flips of each kind in each matrix.
std::vector<Flip> flips_everywhere(const BinaryResidualModel& model) {
  const CounterRng random(11);
  std::vector<Flip> flips;
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t count) {
    return static_cast<std::uint32_t>(random.below(draw++, count));
  };
  for (std::uint32_t layer = 0; layer < kShape.num_layers; ++layer)
    for (const ProjectionNames& entry : kProjections) {
      const TensorAddress tensor{layer, entry.projection};
      const auto* matrix = model::find_binary_matrix(model, tensor);
      if (matrix == nullptr) continue;
      flips.push_back({tensor, below(matrix->rows), FlipKind::kRow, 0});
      flips.push_back({tensor, below(matrix->rows), FlipKind::kGroup, below(matrix->cols / 128)});
      for (int i = 0; i < 2; ++i)
        flips.push_back({tensor, below(matrix->rows), FlipKind::kBit, below(matrix->cols)});
    }
  return flips;
}

void expect_exact(const BinaryResidualRules& rules, int threads) {
  BinaryResidualModel model = model::random_binary_residual(kShape, rules, 3);
  for (std::size_t i = 0; i < model.layers[1].gate.scale.size(); i += 3)
    model.layers[1].gate.scale[i] *= -1.0F;  // rows that fall
  for (std::size_t i = 0; i < model.layers[0].o.scale.size(); i += 5)
    model.layers[0].o.scale[i] *= -1.0F;
  const Objective objective = small_objective();
  ChangeEvaluator evaluator(
      std::make_unique<ResidualDelta>(model, best_table(), threads, objective.sequences),
      best_table(), threads, objective);
  const PlainScores plain_scores(model, objective);
  const std::vector<double> base = plain_scores.of(model);
  EXPECT_EQ(std::vector(evaluator.base_scores().begin(), evaluator.base_scores().end()), base);
  const std::vector<Flip> flips = flips_everywhere(model);
  const auto plain = [&](std::span<const Flip> some) {
    return plain_scores.of(with_flips(model, some));
  };
  const auto expect_flips = [&](std::span<const Flip> state) {
    const BinaryResidualModel changed = with_flips(model, state);
    const std::vector<double> scores = evaluator.evaluate_flips(flips);
    std::size_t num_changes = 0;
    for (std::size_t i = 0; i < flips.size(); ++i) {
      const auto first = scores.begin() + static_cast<std::ptrdiff_t>(i * base.size());
      const std::vector<double> expected =
          plain_scores.of(with_flips(changed, std::span(flips).subspan(i, 1)));
      EXPECT_EQ(std::vector(first, first + static_cast<std::ptrdiff_t>(base.size())), expected)
          << patch::to_string(flips[i]);
      num_changes += expected != base ? 1U : 0U;
    }
    EXPECT_GT(num_changes, flips.size() / 2);
  };
  expect_flips({});
  const std::vector<Flip> some = {flips[0], flips[6], flips[17], flips[34], flips.back()};
  EXPECT_EQ(evaluator.evaluate_patch(flips), plain(flips));
  EXPECT_EQ(evaluator.enter_patch(some), plain(some));
  expect_flips(some);
  EXPECT_EQ(evaluator.evaluate_patch(flips), plain(flips));
  EXPECT_EQ(evaluator.evaluate_patch({}), base);
  EXPECT_EQ(evaluator.enter_patch({}), base);
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
