// First-order predictions against exact changes, and their independence of how they are computed.
#include "bfs/sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bfs/candidate_sample.h"
#include "bfs/evaluator.h"
#include "bfs/fitness.h"
#include "bfs/item_sample.h"
#include "bfs/overlay.h"
#include "bfs/rank_agreement.h"
#include "kernels/dispatch.h"
#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

using model::Model;

constexpr double kPenalty = 2.0;

Objective make_objective(const Model& model, std::size_t num_probes, Metric metric = Metric::kNll) {
  ObjectiveBuilder builder(model.tokenizer(), 24);
  for (const Probe& probe : demo_probes("sums.search", 0, num_probes))
    EXPECT_TRUE(builder.add_probe(probe, metric, 1.0, false, {}).ok());
  for (const Probe& probe : demo_probes("capitals", 0, num_probes / 2 + 1))
    EXPECT_TRUE(builder.add_probe(probe, metric, 1.0, true, {}).ok());
  EXPECT_TRUE(
      builder.add_text("text", "The capital of France is Paris.", Metric::kNll, 1.0, true).ok());
  return std::move(builder).build();
}

// All candidates' predictions, checked to come once each.
class AllChanges final : public ChangeSink {
 public:
  void take(CandidateId first, std::span<const PredictedChange> some) override {
    for (const PredictedChange& change : some)
      EXPECT_TRUE(
          changes.emplace(first++, std::pair(change.target_gain, change.control_loss)).second);
  }
  double fitness(CandidateId id) const {
    return PredictedChange{changes.at(id).first, changes.at(id).second}.fitness(kPenalty);
  }
  std::map<CandidateId, std::pair<std::int64_t, std::int64_t>> changes;
};

struct Trial {
  const Model& model;
  Objective objective;
  CandidateSpace space;
  std::vector<patch::Flip> state = {};
  std::vector<double> base = {}, scores = {};

  Trial(const Model& of, std::size_t num_probes, const std::vector<TensorAddress>& tensors,
        Granularity granularity, std::vector<patch::Flip> flips = {}, Metric metric = Metric::kNll)
      : model(of),
        objective(make_objective(of, num_probes, metric)),
        space(of, tensors, granularity),
        state(std::move(flips)) {
    model::Transformer transformer = make_transformer(model);
    Evaluator evaluator(transformer, objective, {});
    base.assign(evaluator.base_scores().begin(), evaluator.base_scores().end());
    scores = evaluator.evaluate_overlay(make_overlay(model, state));
  }

  AllChanges predict(const SensitivityOptions& options = {}, int threads = 1,
                     mpi::Communicator* communicator = nullptr,
                     const kernels::KernelTable& table = best_kernels()) const {
    mpi::SelfCommunicator self;
    model::Transformer transformer =
        make_transformer(model, kernels::ActivationMode::kA16, threads, table);
    Sensitivity sensitivity(transformer, objective, space, options);
    AllChanges all;
    const auto status = sensitivity.run(
        communicator != nullptr ? *communicator : self, make_overlay(model, state),
        all_items(objective), base, scores, [] { return false; }, all);
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(all.changes.size(), space.size());
    return all;
  }
};

std::vector<TensorAddress> all_of(std::initializer_list<std::uint32_t> layers) {
  return layer_tensors(std::vector<std::uint32_t>(layers));
}

// Queries and keys act through a softmax, which bends more than what else lies above a row.
bool is_attended(TensorAddress tensor) {
  return tensor.projection == Projection::kQuery || tensor.projection == Projection::kKey;
}

void expect_agreement(const Trial& trial, double least) {
  const AllChanges predicted = trial.predict();
  model::Transformer transformer = make_transformer(trial.model);
  Evaluator evaluator(transformer, trial.objective, trial.space.tensors());
  evaluator.set_state(make_overlay(trial.model, trial.state));
  const double now = compute_fitness(trial.objective, trial.base, trial.scores, kPenalty).fitness;
  for (std::size_t tensor = 0; tensor < trial.space.tensors().size(); ++tensor)
    for (const patch::FlipKind kind : kFlipKinds) {
      if (trial.space.count(tensor, kind) == 0) continue;
      const auto ids = sample_candidates(trial.space.first(tensor, kind),
                                         trial.space.count(tensor, kind), 30, 5);
      std::vector<patch::Flip> flips;
      std::vector<double> a, b;
      for (const CandidateId id : ids) flips.push_back(trial.space.flip(id));
      const std::vector<double> scores = evaluator.evaluate_flips(flips);
      const std::size_t num_items = trial.objective.items.size();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        a.push_back(predicted.fitness(ids[i]));
        b.push_back(compute_fitness(trial.objective, trial.base,
                                    std::span(scores).subspan(i * num_items, num_items), kPenalty)
                        .fitness -
                    now);
      }
      EXPECT_GE(compare_rankings(a, b).spearman,
                least - (is_attended(trial.space.tensors()[tensor]) ? 0.25 : 0.0))
          << to_string(trial.space.tensors()[tensor]) << ", kind " << static_cast<int>(kind);
    }
}

TEST(Sensitivity, ranks_rows_groups_and_bits_as_their_exact_changes_do) {
  expect_agreement(Trial(demo_model(), 8, all_of({1, 5}), Granularity::kMixed), 0.85);
}

TEST(Sensitivity, ranks_changes_of_probabilities) {
  expect_agreement(Trial(demo_model(), 8, all_of({4}), Granularity::kMixed,
                         {patch::row_flip({5, Projection::kGate}, 3)}, Metric::kProbability),
                   0.8);
}

TEST(Sensitivity, ranks_on_top_of_flips_and_takes_them_back) {
  const std::vector<patch::Flip> state = {patch::row_flip({4, Projection::kGate}, 3),
                                          patch::row_flip({5, Projection::kUp}, 7),
                                          patch::group_flip({5, Projection::kDown}, 9, 1)};
  expect_agreement(Trial(demo_model(), 8, layer_tensors({5}, {Projection::kUp, Projection::kDown}),
                         Granularity::kMixed, state),
                   0.85);
}

TEST(Sensitivity, serves_other_architectures) {
  expect_agreement(Trial(tiny_model(), 2, all_of({0, 2}), Granularity::kRow), 0.8);
  expect_agreement(Trial(tiny_bitnet_model(), 2, all_of({1}), Granularity::kRow), 0.8);
}

TEST(Sensitivity, ranks_steps_of_ternary_weights) {
  expect_agreement(Trial(tiny_ternary_model(), 2, all_of({1}), Granularity::kMixed), 0.8);
  const std::vector<patch::Flip> state = {patch::row_flip({1, Projection::kUp}, 7),
                                          patch::step_up({1, Projection::kUp}, 7, 30),
                                          patch::step_down({1, Projection::kDown}, 9, 300)};
  const std::vector<TensorAddress> tensors =
      layer_tensors({1}, {Projection::kUp, Projection::kDown});
  const Trial trial(tiny_ternary_model(), 2, tensors, Granularity::kMixed, state);
  expect_agreement(trial, 0.8);
  const auto edited = edited_model(tiny_ternary_model(), patch::FlipSet::make(trial.state).value());
  Trial plain(*edited, 2, tensors, Granularity::kMixed);
  plain.base = trial.base;
  EXPECT_EQ(trial.predict().changes, plain.predict().changes);
}

// The scale of a matrix counts: predictions are not only in order, but of the size of the changes.
TEST(Sensitivity, predicts_the_size_of_changes_in_matrices_with_scales) {
  for (const model::Model* model : {&tiny_bitnet_model(), &tiny_ternary_model()}) {
    const Trial trial(*model, 2, layer_tensors({2}, {Projection::kUp, Projection::kDown}),
                      Granularity::kMixed);
    const AllChanges predicted = trial.predict();
    model::Transformer transformer = make_transformer(*model);
    Evaluator evaluator(transformer, trial.objective, trial.space.tensors());
    evaluator.set_state({});
    for (std::size_t tensor = 0; tensor < trial.space.tensors().size(); ++tensor)
      for (const patch::FlipKind kind : kFlipKinds) {
        double of_exact = 0.0, of_predicted = 0.0;
        for (const CandidateId id : sample_candidates(trial.space.first(tensor, kind),
                                                      trial.space.count(tensor, kind), 12, 3)) {
          const patch::Flip flip = trial.space.flip(id);
          const std::vector<double> scores = evaluator.evaluate_flips({&flip, 1});
          of_exact += std::abs(compute_fitness(trial.objective, trial.base, scores, 0.0).fitness);
          of_predicted += std::abs(PredictedChange::to_double(predicted.changes.at(id).first));
        }
        EXPECT_NEAR(of_predicted, of_exact, 0.25 * of_exact)
            << to_string(trial.space.tensors()[tensor]) << ", kind " << static_cast<int>(kind);
      }
  }
}

TEST(Sensitivity, of_an_overlay_is_that_of_a_model_with_flipped_bits) {
  const std::vector<patch::Flip> state = {patch::row_flip({1, Projection::kGate}, 3),
                                          patch::group_flip({1, Projection::kUp}, 40, 1),
                                          patch::bit_flip({2, Projection::kQuery}, 7, 100),
                                          patch::row_flip({2, Projection::kDown}, 11)};
  Trial trial(tiny_model(), 2, all_of({1, 2}), Granularity::kMixed, state);
  const AllChanges overlaid = trial.predict();
  const FlippedModel flipped(tiny_model(), state);
  Trial plain(flipped.model(), 2, all_of({1, 2}), Granularity::kMixed);
  plain.base = trial.base;
  EXPECT_EQ(overlaid.changes, plain.predict().changes);
}

TEST(Sensitivity, does_not_depend_on_ranks_threads_or_kernels) {
  const Trial trial(demo_model(), 30,
                    layer_tensors({4, 5}, {Projection::kGate, Projection::kValue}),
                    Granularity::kMixed);
  const AllChanges expected = trial.predict();
  for (const kernels::KernelTable* table : kernels::all_kernels())
    if (kernels::is_supported(*table)) {
      EXPECT_EQ(trial.predict({}, 2, nullptr, *table).changes, expected.changes) << table->name;
    }
  for (const int ranks : {2, 3}) {
    mpi::run_ranks(ranks, [&](mpi::Communicator& communicator) {
      EXPECT_EQ(trial.predict({}, 1, &communicator).changes, expected.changes);
    });
  }
}

// Little memory for sums: larger blocks of data, and several passes.
TEST(Sensitivity, memory_changes_the_passes_and_not_the_prediction) {
  const Trial trial(demo_model(), 30, layer_tensors({5}, {Projection::kGate, Projection::kUp}),
                    Granularity::kBit);
  SensitivityOptions little;
  little.table_bytes = 1U << 20U;
  const AllChanges expected = trial.predict(), other = trial.predict(little);
  for (const auto& [id, change] : expected.changes)
    ASSERT_NEAR(PredictedChange::to_double(other.changes.at(id).first),
                PredictedChange::to_double(change.first), 1e-6);
}

TEST(Sensitivity, stops_when_asked_to) {
  const Trial trial(demo_model(), 30, layer_tensors({5}, {Projection::kGate}), Granularity::kRow);
  model::Transformer transformer = make_transformer(demo_model());
  Sensitivity sensitivity(transformer, trial.objective, trial.space, {});
  mpi::SelfCommunicator self;
  AllChanges all;
  const auto status = sensitivity.run(
      self, {}, all_items(trial.objective), trial.base, trial.scores, [] { return true; }, all);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kStopped);
}

}  // namespace
}  // namespace bankai::bfs
