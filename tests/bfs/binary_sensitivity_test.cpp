#include "bfs/binary_sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bfs/binary_delta.h"
#include "bfs/rank_agreement.h"
#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "model/binary_matrices.h"
#include "model/random_binary_model.h"
#include "mpi/self_communicator.h"

namespace bankai::bfs {
namespace {

using model::BinaryModel;
using model::TokenId;

// Heads of 48 bits end in the middle of words.
constexpr model::BinaryShape kShape{24, 384, 2, 8, 256, 64};
constexpr double kScale = 0.05;

const kernels::KernelTable& best_table() { return **kernels::select_kernel(""); }

// Texts of these lengths, one target each and the last a control.
Objective random_texts(std::span<const std::uint32_t> lengths) {
  Objective objective;
  const CounterRng random(3);
  for (std::uint32_t s = 0; s < lengths.size(); ++s) {
    std::vector<TokenId> tokens;
    for (std::uint32_t i = 0; i <= lengths[s]; ++i)
      tokens.push_back(static_cast<TokenId>(random.below(100 * s + i, kShape.vocabulary)));
    const std::size_t first = objective.terms.size();
    for (std::uint32_t i = 0; i < lengths[s]; ++i)
      objective.terms.push_back({s, i, tokens[i + 1], 1.0 / lengths[s]});
    tokens.pop_back();
    objective.sequences.push_back(tokens);
    objective.items.push_back(
        {"text", 1.0, s > 0 && s + 1 == lengths.size(), first, objective.terms.size(), 0});
  }
  return objective;
}

struct Rig {
  BinaryModel model = model::random_binary_model(kShape, 5);
  Objective objective;
  CandidateSpace space;
  model::BinaryOptions options;
  double scale;

  Rig(std::span<const std::uint32_t> lengths, std::span<const TensorAddress> tensors,
      double logit_scale = kScale)
      : objective(random_texts(lengths)),
        space(
            [this](TensorAddress address) -> std::optional<patch::WeightView> {
              return model::bit_view(model::find_binary_matrix(model, address));
            },
            tensors, Granularity::kMixed),
        scale(logit_scale) {}

  ChangeEvaluator make_evaluator(const kernels::KernelTable& table) const {
    return {std::make_unique<BinaryDelta>(model, table, options, scale, objective.sequences), table,
            options.threads, objective};
  }

  // Predicted changes of the fitness (ids), on top of flips.
  std::vector<double> predict(std::span<const CandidateId> ids,
                              std::span<const patch::Flip> state = {},
                              const kernels::KernelTable& table = best_table()) {
    ChangeEvaluator evaluator = make_evaluator(table);
    const std::vector<double> base(evaluator.base_scores().begin(), evaluator.base_scores().end());
    BinarySensitivity sensitivity(model, table, options, scale, objective, space);
    std::vector<std::size_t> used;
    for (std::size_t i = 0; i < objective.items.size(); ++i) used.push_back(i);
    ChosenChanges chosen({ids.begin(), ids.end()}, 2.0);
    mpi::SelfCommunicator alone;
    EXPECT_TRUE(sensitivity
                    .run(
                        alone, state, used, base, evaluator.enter_patch(state),
                        [] { return false; }, chosen)
                    .ok());
    return {chosen.gains().begin(), chosen.gains().end()};
  }

  // Exact changes of the only item's score.
  std::vector<double> evaluate(std::span<const CandidateId> ids,
                               std::span<const patch::Flip> state) {
    ChangeEvaluator evaluator = make_evaluator(best_table());
    const double before = evaluator.enter_patch(state)[0];
    std::vector<patch::Flip> flips;
    for (const CandidateId id : ids) flips.push_back(space.flip(id));
    std::vector<double> changes = evaluator.evaluate_flips(flips);
    for (double& change : changes) change -= before;
    return changes;
  }

  // Makes the likeliest token the target of the only term.
  void take_likeliest() {
    TokenId likeliest = 0;
    double best = -std::numeric_limits<double>::infinity();
    for (TokenId token = 0; token < static_cast<TokenId>(kShape.vocabulary); ++token) {
      objective.terms[0].token = token;
      const double score = make_evaluator(best_table()).base_scores()[0];
      if (score > best) likeliest = token;
      best = std::max(best, score);
    }
    objective.terms[0].token = likeliest;
  }

  // Every `step`th candidate.
  std::vector<CandidateId> some_ids(std::uint64_t step) const {
    std::vector<CandidateId> ids;
    for (CandidateId id = 0; id < space.size(); id += step) ids.push_back(id);
    return ids;
  }
};

// How a change far beyond 1 nat is told.
double told(double change) {
  if (std::abs(change) <= 1.0) return change;
  return std::copysign(1.0 + std::log(std::abs(change)), change);
}

// One bit of the top, or one logit, is all that such a flip can change.
void expect_exact_at_the_top(double scale, bool is_right) {
  const std::uint32_t lengths[] = {1};
  const TensorAddress tensors[] = {
      {1, Projection::kDown}, {1, Projection::kOutput}, {0, Projection::kHead}};
  Rig rig(lengths, tensors, scale);
  if (is_right) rig.take_likeliest();
  std::vector<CandidateId> ids;  // whole rows change what is certain
  for (CandidateId id = 0; id < rig.space.size(); ++id)
    if (id % 37 == 0 || rig.space.flip(id).kind == patch::FlipKind::kRow) ids.push_back(id);
  const patch::Flip state[] = {patch::row_flip({0, Projection::kGate}, 7)};
  const std::vector<double> predicted = rig.predict(ids, state), exact = rig.evaluate(ids, state);
  // Exact scores come from logits in floats, of the size of the scale times the width.
  const double tolerance = 1e-6 * scale * static_cast<double>(kShape.width);
  std::size_t changes = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_NEAR(predicted[i], told(exact[i]), tolerance + 1e-5 * std::abs(told(exact[i])))
        << patch::to_string(rig.space.flip(ids[i]));
    changes += exact[i] != 0.0 ? 1U : 0U;
  }
  EXPECT_GT(changes, is_right ? 0U : 40U);
}

TEST(BinarySensitivity, IsExactWhereOneBitFlipsAtTheTop) { expect_exact_at_the_top(kScale, false); }

TEST(BinarySensitivity, IsExactAtTheTopOfAModelThatIsCertain) {
  for (const double scale : {10.0, 400.0})
    for (const bool is_right : {false, true}) expect_exact_at_the_top(scale, is_right);
}

TEST(BinarySensitivity, RanksCandidatesOfEveryMatrix) {
  const std::uint32_t lengths[] = {40};
  std::vector<TensorAddress> tensors;
  for (std::uint32_t layer = 0; layer < kShape.num_layers; ++layer)
    for (const ProjectionNames& entry : kProjections)
      if (entry.projection < Projection::kEmbedding) tensors.push_back({layer, entry.projection});
  Rig rig(lengths, tensors);
  const std::vector<CandidateId> ids = rig.some_ids(1499);
  EXPECT_GT(compare_rankings(rig.predict(ids), rig.evaluate(ids, {})).spearman, 0.3);
}

TEST(BinarySensitivity, IsTheSameForThreadsAndKernels) {
  const std::uint32_t lengths[] = {9, 70, 5};
  const TensorAddress tensors[] = {{0, Projection::kEmbedding},
                                   {0, Projection::kQuery},
                                   {0, Projection::kKey},
                                   {1, Projection::kUp}};
  Rig rig(lengths, tensors);
  const std::vector<CandidateId> ids = rig.some_ids(101);
  const std::vector<double> expected = rig.predict(ids);
  for (const kernels::KernelTable* table : kernels::all_kernels())
    if (kernels::is_supported(*table)) {
      EXPECT_EQ(rig.predict(ids, {}, *table), expected);
    }
  rig.options.threads = 3;
  EXPECT_EQ(rig.predict(ids), expected);
  rig.options = {model::TieRule::kLatest, model::PointerScore::kPopcount, 1};
  EXPECT_NE(rig.predict(ids), expected);
}

}  // namespace
}  // namespace bankai::bfs
