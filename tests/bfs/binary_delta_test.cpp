#include "bfs/binary_delta.h"

#include <gtest/gtest.h>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "model/binary_matrices.h"
#include "model/character_model.h"
#include "model/random_binary_model.h"
#include "model/scoring.h"
#include "patch/apply.h"

namespace bankai::bfs {
namespace {

using model::BinaryModel;
using model::TokenId;
using patch::Flip;
using patch::FlipKind;

// Heads of 40 bits end in the middle of words; feed-forward 384 has groups, 3 layers have depth.
constexpr model::BinaryShape kShape{32, 640, 3, 16, 384, 64};
constexpr double kScale = 0.05;

const kernels::KernelTable& best_table() { return **kernels::select_kernel(""); }

// Three texts, each a target.
Objective small_objective() {
  Objective objective;
  const CounterRng random(7);
  for (std::uint32_t s = 0; s < 3; ++s) {
    std::vector<TokenId> tokens;
    for (std::uint32_t i = 0; i < 14 + 5 * s; ++i)
      tokens.push_back(static_cast<TokenId>(random.below(64 * s + i, kShape.vocabulary)));
    for (std::uint32_t i = 1; i < tokens.size(); ++i)
      objective.terms.push_back({s, i - 1, tokens[i], 0.1});
    tokens.pop_back();
    objective.sequences.push_back(tokens);
    const std::size_t first = objective.items.empty() ? 0 : objective.items.back().last_term;
    objective.items.push_back({"text", 1.0, false, first, objective.terms.size(), 0});
  }
  return objective;
}

BinaryModel with_flips(BinaryModel model, std::span<const Flip> flips) {
  const auto set = patch::FlipSet::make({flips.begin(), flips.end()});
  const Status status = patch::toggle_flips(
      *set, [&](TensorAddress tensor) -> std::optional<patch::MutableWeightView> {
        return model::mutable_bit_view(model, tensor);
      });
  EXPECT_TRUE(status.ok());
  return model;
}

// Item scores by a plain pass, as perplexity is measured.
std::vector<double> plain_scores(const BinaryModel& model, const model::BinaryOptions& options,
                                 const Objective& objective) {
  const kernels::KernelTable& table = best_table();
  model::BinaryTransformer transformer(model, table, {options.tie, options.score, 1});
  model::StrictCharacterModel characters(transformer, kScale, true);
  std::vector<double> values(objective.terms.size());
  std::vector<float> logits;
  for (std::uint32_t s = 0; s < objective.sequences.size(); ++s) {
    characters.clear();
    characters.feed(objective.sequences[s], false, logits);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Term& term = objective.terms[i];
      if (term.sequence != s) continue;
      const auto row = std::span(logits).subspan(term.row * kShape.vocabulary, kShape.vocabulary);
      values[i] = static_cast<double>(row[static_cast<std::size_t>(term.token)]) -
                  model::log_sum_exp(table, row);
    }
  }
  return TermScorer(table, objective).item_scores(values);
}

// Some flips of each kind in each matrix.
std::vector<Flip> flips_everywhere(const BinaryModel& model) {
  const CounterRng random(11);
  std::vector<Flip> flips;
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t count) {
    return static_cast<std::uint32_t>(random.below(draw++, count));
  };
  for (std::uint32_t layer = 0; layer < kShape.num_layers; ++layer)
    for (const ProjectionNames& entry : kProjections) {
      const auto* matrix = model::find_binary_matrix(model, {layer, entry.projection});
      if (matrix == nullptr) continue;
      const TensorAddress tensor{layer, entry.projection};
      flips.push_back({tensor, below(matrix->rows), FlipKind::kRow, 0});
      flips.push_back({tensor, below(matrix->rows), FlipKind::kGroup, below(matrix->cols / 128)});
      for (int i = 0; i < 3; ++i)
        flips.push_back({tensor, below(matrix->rows), FlipKind::kBit, below(matrix->cols)});
    }
  return flips;
}

void expect_exact(const model::BinaryOptions& options) {
  const BinaryModel model = model::random_binary_model(kShape, 3);
  const Objective objective = small_objective();
  ChangeEvaluator evaluator(
      std::make_unique<BinaryDelta>(model, best_table(), options, kScale, objective.sequences),
      best_table(), options.threads, objective);
  const std::vector<double> base = plain_scores(model, options, objective);
  EXPECT_EQ(std::vector(evaluator.base_scores().begin(), evaluator.base_scores().end()), base);
  const std::vector<Flip> flips = flips_everywhere(model);
  const auto expect_flips = [&](std::span<const Flip> state) {
    const BinaryModel changed = with_flips(model, state);
    const std::vector<double> scores = evaluator.evaluate_flips(flips);
    std::size_t num_changes = 0;
    for (std::size_t i = 0; i < flips.size(); ++i) {
      const auto first = scores.begin() + static_cast<std::ptrdiff_t>(i * base.size());
      const std::vector<double> expected =
          plain_scores(with_flips(changed, std::span(flips).subspan(i, 1)), options, objective);
      EXPECT_EQ(std::vector(first, first + static_cast<std::ptrdiff_t>(base.size())), expected)
          << patch::to_string(flips[i]);
      num_changes += expected != base ? 1U : 0U;
    }
    EXPECT_GT(num_changes, flips.size() / 2);
  };
  expect_flips({});
  const std::vector<Flip> some = {flips[0], flips[7], flips[33], flips[34], flips[70]};
  EXPECT_EQ(evaluator.evaluate_patch(flips),
            plain_scores(with_flips(model, flips), options, objective));
  EXPECT_EQ(evaluator.enter_patch(some), plain_scores(with_flips(model, some), options, objective));
  expect_flips(some);
  EXPECT_EQ(evaluator.evaluate_patch(flips),
            plain_scores(with_flips(model, flips), options, objective));
  EXPECT_EQ(evaluator.evaluate_patch({}), base);
  EXPECT_EQ(evaluator.enter_patch({}), base);
}

TEST(BinaryDelta, EqualsAPlainPassOfTheChangedModel) { expect_exact({}); }

TEST(BinaryDelta, EqualsAPlainPassUnderOtherRulesAndThreads) {
  expect_exact({model::TieRule::kLatest, model::PointerScore::kPopcount, 2});
}

}  // namespace
}  // namespace bankai::bfs
