// What the tests of changes followed through binary models share: flips of every matrix have the
// scores of plain passes of the changed model, whatever the state they are evaluated in.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "bfs/change_evaluator.h"
#include "bfs/flipped_model.h"
#include "bfs/term_scorer.h"
#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "model/binary_matrices.h"
#include "model/scoring.h"

namespace bankai::bfs {

inline const kernels::KernelTable& best_table() { return **kernels::select_kernel(""); }

// Three texts as targets, and the distribution over one more as a control.
inline Objective small_objective(std::size_t vocabulary) {
  Objective objective;
  const CounterRng random(7);
  for (std::uint32_t s = 0; s < 4; ++s) {
    std::vector<model::TokenId> tokens;
    for (std::uint32_t i = 0; i < 9 + 4 * s; ++i)
      tokens.push_back(static_cast<model::TokenId>(random.below(64 * s + i, vocabulary)));
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

// Some flips of each kind in each matrix; bits: of single weights.
template <typename Model>
std::vector<patch::Flip> flips_everywhere(const Model& model, int bits) {
  using patch::FlipKind;
  const CounterRng random(11);
  std::vector<patch::Flip> flips;
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t count) {
    return static_cast<std::uint32_t>(random.below(draw++, count));
  };
  for (std::uint32_t layer = 0; layer < model.shape.num_layers; ++layer)
    for (const ProjectionNames& entry : kProjections) {
      const TensorAddress tensor{layer, entry.projection};
      const auto* matrix = model::find_binary_matrix(model, tensor);
      if (matrix == nullptr) continue;
      flips.push_back({tensor, below(matrix->rows), FlipKind::kRow, 0});
      flips.push_back({tensor, below(matrix->rows), FlipKind::kGroup, below(matrix->cols / 128)});
      for (int i = 0; i < bits; ++i)
        flips.push_back({tensor, below(matrix->rows), FlipKind::kBit, below(matrix->cols)});
    }
  return flips;
}

// A model, and item scores by plain passes of it with flips. `logits` gives those of a model after
// each token of a sequence, (tokens, vocabulary).
template <typename Model>
class PlainScores {
 public:
  using Logits =
      std::function<std::vector<float>(const Model& model, const std::vector<model::TokenId>&)>;

  PlainScores(const Model& unpatched, const Objective& objective, Logits logits)
      : unpatched_(unpatched),
        objective_(objective),
        logits_(std::move(logits)),
        scorer_(best_table(), objective) {
    visit_terms(unpatched, [&](std::size_t term, std::span<const float> row) {
      scorer_.record_reference(term, row);
    });
  }
  std::vector<double> with(std::span<const patch::Flip> flips) const {
    return of(with_flips(unpatched_, flips));
  }
  // Of these, with one more.
  std::vector<double> with(std::span<const patch::Flip> state, const patch::Flip& flip) const {
    return of(with_flips(with_flips(unpatched_, state), {&flip, 1}));
  }

 private:
  std::vector<double> of(const Model& changed) const {
    std::vector<double> values(objective_.terms.size());
    visit_terms(changed, [&](std::size_t term, std::span<const float> row) {
      values[term] = scorer_.value(term, row, model::log_sum_exp(best_table(), row));
    });
    return scorer_.item_scores(values);
  }
  template <typename Visit>
  void visit_terms(const Model& model, const Visit& visit) const {
    const std::size_t vocabulary = model.shape.vocabulary;
    for (std::uint32_t s = 0; s < objective_.sequences.size(); ++s) {
      const std::vector<float> logits = logits_(model, objective_.sequences[s]);
      for (std::size_t i = 0; i < objective_.terms.size(); ++i)
        if (const Term& term = objective_.terms[i]; term.sequence == s)
          visit(i, std::span(logits).subspan(term.row * vocabulary, vocabulary));
    }
  }

  const Model& unpatched_;
  const Objective& objective_;
  Logits logits_;
  TermScorer scorer_;
};

template <typename Model>
void expect_flip_scores(ChangeEvaluator& evaluator, const PlainScores<Model>& plain_scores,
                        std::span<const patch::Flip> flips, std::span<const patch::Flip> state) {
  const std::vector<double> base = plain_scores.with({});
  const std::vector<double> scores = evaluator.evaluate_flips(flips);
  std::size_t num_changes = 0;
  for (std::size_t i = 0; i < flips.size(); ++i) {
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(i * base.size());
    const std::vector<double> expected = plain_scores.with(state, flips[i]);
    EXPECT_EQ(std::vector(first, first + static_cast<std::ptrdiff_t>(base.size())), expected)
        << patch::to_string(flips[i]);
    num_changes += expected != base ? 1U : 0U;
  }
  EXPECT_GT(num_changes, flips.size() / 2);
}

// some: of the flips, a state to evaluate all of them in.
template <typename Model>
void expect_plain_scores(ChangeEvaluator& evaluator, const PlainScores<Model>& plain_scores,
                         std::span<const patch::Flip> flips, std::span<const patch::Flip> some) {
  const std::vector<double> base = plain_scores.with({});
  EXPECT_EQ(std::vector(evaluator.base_scores().begin(), evaluator.base_scores().end()), base);
  expect_flip_scores(evaluator, plain_scores, flips, {});
  EXPECT_EQ(evaluator.evaluate_patch(flips), plain_scores.with(flips));
  EXPECT_EQ(evaluator.enter_patch(some), plain_scores.with(some));
  expect_flip_scores(evaluator, plain_scores, flips, some);
  EXPECT_EQ(evaluator.evaluate_patch(flips), plain_scores.with(flips));
  EXPECT_EQ(evaluator.evaluate_patch({}), base);
  EXPECT_EQ(evaluator.enter_patch({}), base);
}

}  // namespace bankai::bfs
