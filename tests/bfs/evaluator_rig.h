// An evaluator with a small objective and flips of every kind.
#pragma once

#include <numeric>
#include <vector>

#include "bfs/evaluator.h"
#include "bfs/overlay.h"
#include "core/counter_rng.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {

// Probes and a text, as terms of every kind but divergences. Some sequences are shared by items.
inline Objective make_objective(const model::Model& model) {
  ObjectiveBuilder builder(model.tokenizer(), 12);
  const std::vector<Probe> probes = demo_probes("sums.search", 0, 2);
  for (const Probe& probe : probes) {
    EXPECT_TRUE(builder.add_probe(probe, Metric::kSeqLogprob, 1.0, false, {}).ok());
    EXPECT_TRUE(builder.add_probe(probe, Metric::kTokenGap, 0.5, false, {}).ok());
    EXPECT_TRUE(builder.add_probe(probe, Metric::kNll, 2.0, true, {}).ok());
  }
  EXPECT_TRUE(
      builder.add_text("text", "The capital of France is Paris.", Metric::kNll, 1.0, true).ok());
  return std::move(builder).build();
}

// Rows, groups and bits of every matrix of the first, the second and the last layer.
inline std::vector<patch::Flip> sample_flips(const model::Model& model) {
  const auto last = static_cast<std::uint32_t>(model.parameters().num_layers - 1);
  const CounterRng rng(11);
  std::vector<patch::Flip> flips;
  for (const TensorAddress tensor : layer_tensors({0, 1, last})) {
    const BitMatrixView matrix = *model.bit_matrix(tensor);
    const auto below = [&](std::size_t bound) {
      return static_cast<std::uint32_t>(rng.below(flips.size() * 7 + bound % 5, bound));
    };
    flips.push_back(patch::row_flip(tensor, below(matrix.rows())));
    flips.push_back(
        patch::group_flip(tensor, below(matrix.rows()), below(matrix.groups_per_row())));
    flips.push_back(patch::bit_flip(tensor, below(matrix.rows()), below(matrix.cols())));
  }
  return flips;
}

// Flips accepted before: in rows of their own, and in rows of some of the candidates.
inline std::vector<patch::Flip> sample_state(const std::vector<patch::Flip>& candidates) {
  std::vector<patch::Flip> state;
  for (std::size_t i = 0; i < candidates.size(); i += 4) {
    const patch::Flip& flip = candidates[i];
    if (flip.kind == patch::FlipKind::kRow)
      state.push_back(patch::group_flip(flip.tensor, flip.row, 1));
    else if (flip.kind == patch::FlipKind::kGroup)
      state.push_back(patch::bit_flip(flip.tensor, flip.row, flip.index * 128 + 5));
    else
      state.push_back(patch::row_flip(flip.tensor, flip.row));
  }
  for (const TensorAddress tensor : layer_tensors({0, 1})) {
    state.push_back(patch::row_flip(tensor, 7));
    state.push_back(patch::bit_flip(tensor, 8, 200));
  }
  return state;
}

inline std::vector<patch::Flip> every(std::size_t step, const std::vector<patch::Flip>& flips) {
  std::vector<patch::Flip> some;
  for (std::size_t i = 0; i < flips.size(); i += step) some.push_back(flips[i]);
  return some;
}

inline std::vector<patch::Flip> with(std::vector<patch::Flip> flips, const patch::Flip& further) {
  flips.push_back(further);
  return flips;
}

// An evaluator with the sample objective and its own transformer.
struct EvaluatorRig {
  explicit EvaluatorRig(const model::Model& model,
                        kernels::ActivationMode mode = kernels::ActivationMode::kA16,
                        int threads = 1, const kernels::KernelTable& table = best_kernels())
      : objective(make_objective(model)),
        transformer(make_transformer(model, mode, threads, table)),
        evaluator(transformer, objective, all_tensors(model)) {}

  static std::vector<TensorAddress> all_tensors(const model::Model& model) {
    std::vector<std::uint32_t> layers(model.parameters().num_layers);
    std::iota(layers.begin(), layers.end(), 0U);
    return layer_tensors(layers);
  }
  std::vector<double> set_state(const std::vector<patch::Flip>& flips) {
    return evaluator.set_state(make_overlay(transformer.model(), flips));
  }
  std::vector<double> overlay_scores(const std::vector<patch::Flip>& flips) {
    return evaluator.evaluate_overlay(make_overlay(transformer.model(), flips));
  }

  Objective objective;
  model::Transformer transformer;
  Evaluator evaluator;
};

// The scores of candidate i of `all` (flips, items).
inline std::vector<double> scores_of(const std::vector<double>& all, std::size_t i,
                                     std::size_t items) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * items);
  return {begin, begin + static_cast<std::ptrdiff_t>(items)};
}

}  // namespace bankai::bfs
