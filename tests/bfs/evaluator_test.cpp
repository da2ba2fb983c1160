// The law of this room: however a flip is evaluated, the scores are those of a model whose bits
// are really flipped, bit for bit.
#include "bfs/evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "bfs/fitness.h"
#include "bfs/overlay.h"
#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "tests/bfs/evaluator_rig.h"
#include "tests/bfs/ternary_models.h"

namespace bankai::bfs {
namespace {

using kernels::ActivationMode;
using model::Model;
using patch::Flip;

struct LawCase {
  const char* name;
  const Model& (*model)();
  ActivationMode mode;
};

class EvaluatorLaw : public ::testing::TestWithParam<LawCase> {};

TEST_P(EvaluatorLaw, a_flip_scores_as_the_model_with_its_bits_flipped) {
  const Model& model = GetParam().model();
  EvaluatorRig rig(model, GetParam().mode);
  const std::size_t items = rig.objective.items.size();
  const std::vector<Flip> all = sample_flips(model);
  for (const bool has_state : {false, true}) {
    const std::vector<Flip> state = has_state ? sample_state(all) : std::vector<Flip>();
    const std::vector<Flip> candidates = has_state ? all : every(5, all);
    rig.set_state(state);
    const std::vector<double> scores = rig.evaluator.evaluate_flips(candidates);
    ASSERT_EQ(scores.size(), candidates.size() * items);
    const std::vector<double> unchanged = rig.overlay_scores(state);
    std::size_t num_moved = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::vector<Flip> flips = with(state, candidates[i]);
      const FlippedModel flipped(model, flips);
      model::Transformer plain = make_transformer(flipped.model(), GetParam().mode);
      const std::vector<double> one = scores_of(scores, i, items);
      ASSERT_EQ(one, rig.overlay_scores(flips)) << to_string(candidates[i]);
      ASSERT_EQ(one, plain_scores(plain, rig.objective)) << to_string(candidates[i]);
      if (one != unchanged) ++num_moved;
    }
    // A comparison of candidates that change nothing would prove nothing. (In a8 a bit may round
    // away.)
    EXPECT_GT(num_moved, candidates.size() / 2);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, EvaluatorLaw,
    ::testing::Values(LawCase{"demo_a8", demo_model, ActivationMode::kA8},
                      LawCase{"demo_a16", demo_model, ActivationMode::kA16},
                      LawCase{"tiny_a8", tiny_model, ActivationMode::kA8},
                      LawCase{"tiny_a16", tiny_model, ActivationMode::kA16},
                      LawCase{"bitnet_a8", tiny_bitnet_model, ActivationMode::kA8},
                      LawCase{"bitnet_a16", tiny_bitnet_model, ActivationMode::kA16}),
    [](const auto& param) { return std::string(param.param.name); });

// The same for steps of ternary weights, on top of negations and steps of their rows.
TEST(Evaluator, a_step_scores_as_the_model_with_its_weight_changed) {
  const Model& model = tiny_ternary_model();
  EvaluatorRig rig(model);
  const std::size_t items = rig.objective.items.size();
  std::vector<Flip> state, candidates;
  for (const TensorAddress tensor : layer_tensors({0, 2})) {
    state.insert(state.end(), {patch::group_flip(tensor, 7, 1), patch::step_up(tensor, 7, 130)});
    for (const Flip& flip : {patch::step_down(tensor, 7, 130), patch::step_up(tensor, 7, 200)})
      candidates.push_back(flip);
  }
  rig.set_state(state);
  const std::vector<double> scores = rig.evaluator.evaluate_flips(candidates);
  const std::vector<double> unchanged = rig.overlay_scores(state);
  std::size_t num_moved = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::vector<Flip> flips = with(state, candidates[i]);
    const auto edited = edited_model(model, patch::FlipSet::make(flips).value());
    model::Transformer plain = make_transformer(*edited);
    const std::vector<double> one = scores_of(scores, i, items);
    ASSERT_EQ(one, rig.overlay_scores(flips)) << to_string(candidates[i]);
    ASSERT_EQ(one, plain_scores(plain, rig.objective)) << to_string(candidates[i]);
    if (one != unchanged) ++num_moved;
  }
  EXPECT_GT(num_moved, candidates.size() / 2);
}

TEST(Evaluator, the_state_scores_as_the_model_with_its_bits_flipped) {
  const std::vector<Flip> state = sample_state(sample_flips(demo_model()));
  EvaluatorRig rig(demo_model());
  const FlippedModel flipped(demo_model(), state);
  model::Transformer plain = make_transformer(flipped.model());
  EXPECT_EQ(rig.set_state(state), plain_scores(plain, rig.objective));
  model::Transformer unpatched = make_transformer(demo_model());
  const std::vector<double> base(rig.evaluator.base_scores().begin(),
                                 rig.evaluator.base_scores().end());
  EXPECT_EQ(base, plain_scores(unpatched, rig.objective));
}

TEST(Evaluator, a_set_of_flips_may_enter_at_its_lowest_half_layer) {
  for (const Model* model : {&demo_model(), &tiny_model()}) {
    EvaluatorRig rig(*model);
    const std::vector<Flip> all = sample_flips(*model);
    const std::vector<Flip> state = sample_state(all);
    rig.set_state(state);
    for (std::size_t first = 0; first < all.size(); first += 3) {
      std::vector<Flip> flips = state;
      HalfLayer lowest = half_layer_of(all[first].tensor);
      for (std::size_t i = first; i < all.size(); i += 7) {
        flips.push_back(all[i]);
        lowest = std::min(lowest, half_layer_of(all[i].tensor));
      }
      const model::RowOverlay overlay = make_overlay(*model, flips);
      const std::vector<double> expected = rig.evaluator.evaluate_overlay(overlay);
      ASSERT_EQ(rig.evaluator.evaluate_overlay(overlay, lowest), expected);
      ASSERT_EQ(rig.evaluator.evaluate_overlay(overlay, {0, false}), expected);
    }
    EXPECT_EQ(rig.evaluator.evaluate_overlay(make_overlay(*model, state), {1, true}),
              rig.overlay_scores(state));
  }
}

TEST(Evaluator, order_and_company_of_candidates_do_not_matter) {
  EvaluatorRig rig(tiny_model());
  const std::size_t items = rig.objective.items.size();
  std::vector<Flip> candidates = sample_flips(tiny_model());
  rig.set_state(sample_state(candidates));
  const std::vector<double> together = rig.evaluator.evaluate_flips(candidates);
  for (std::size_t i = 0; i < candidates.size(); ++i)
    ASSERT_EQ(rig.evaluator.evaluate_flips({&candidates[i], 1}), scores_of(together, i, items));
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const CounterRng rng(seed);
    for (std::size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[rng.below(i, i + 1)]);
    std::vector<Flip> shuffled;
    for (const std::size_t i : order) shuffled.push_back(candidates[i]);
    shuffled.push_back(shuffled.front());  // and one of them twice
    const std::vector<double> scores = rig.evaluator.evaluate_flips(shuffled);
    for (std::size_t i = 0; i < order.size(); ++i)
      ASSERT_EQ(scores_of(scores, i, items), scores_of(together, order[i], items));
    ASSERT_EQ(scores_of(scores, order.size(), items), scores_of(scores, 0, items));
  }
  EXPECT_TRUE(rig.evaluator.evaluate_flips({}).empty());
}

TEST(Evaluator, candidates_beyond_one_block_score_alike) {
  // 5,000 tokens and more: blocks end in the middle of the list, and in the middle of a candidate.
  const Model& model = tiny_model();
  EvaluatorRig rig(model);
  std::vector<Flip> candidates;
  for (std::uint32_t row = 0; candidates.size() * rig.objective.num_tokens() < 5000; ++row)
    candidates.push_back(patch::row_flip({2, Projection::kDown}, row));
  const std::size_t items = rig.objective.items.size();
  const std::vector<double> together = rig.evaluator.evaluate_flips(candidates);
  for (std::size_t i = 0; i < candidates.size(); ++i)
    ASSERT_EQ(rig.evaluator.evaluate_flips({&candidates[i], 1}), scores_of(together, i, items));
}

TEST(Evaluator, history_does_not_matter) {
  const std::vector<Flip> candidates = sample_flips(tiny_model());
  const std::vector<Flip> state = sample_state(candidates);
  EvaluatorRig fresh(tiny_model());
  fresh.set_state(state);
  const std::vector<double> expected = fresh.evaluator.evaluate_flips(candidates);
  EvaluatorRig used(tiny_model());
  used.evaluator.evaluate_flips(candidates);
  used.set_state({candidates[3], candidates[40]});
  used.evaluator.evaluate_flips(std::span(candidates).subspan(20));
  used.set_state(state);
  used.overlay_scores({candidates[5]});
  EXPECT_EQ(used.evaluator.evaluate_flips(candidates), expected);
  used.overlay_scores({});
  EXPECT_EQ(used.evaluator.evaluate_flips(candidates), expected);
}

TEST(Evaluator, threads_do_not_matter) {
  const std::vector<Flip> candidates = every(2, sample_flips(tiny_model()));
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    std::vector<double> expected;
    for (const int threads : {1, 2, 3}) {
      EvaluatorRig rig(tiny_model(), mode, threads);
      rig.set_state(sample_state(candidates));
      const std::vector<double> scores = rig.evaluator.evaluate_flips(candidates);
      if (threads == 1) expected = scores;
      EXPECT_EQ(scores, expected) << threads << " threads";
    }
  }
}

TEST(Evaluator, kernels_do_not_matter) {
  const std::vector<Flip> state = sample_state(sample_flips(tiny_model()));
  const std::vector<Flip> candidates = every(13, sample_flips(tiny_model()));  // scalar is slow
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    EvaluatorRig rig(tiny_model(), mode);
    rig.set_state(state);
    const std::vector<double> expected = rig.evaluator.evaluate_flips(candidates);
    for (const kernels::KernelTable* table : kernels::all_kernels()) {
      if (!kernels::is_supported(*table)) continue;
      EvaluatorRig other(tiny_model(), mode, 1, *table);
      other.set_state(state);
      EXPECT_EQ(other.evaluator.evaluate_flips(candidates), expected) << table->name;
    }
  }
}

TEST(Evaluator, some_sequences_are_scored_as_among_all) {
  EvaluatorRig rig(tiny_model());
  const std::vector<Flip> candidates = sample_flips(tiny_model());
  rig.set_state(sample_state(candidates));
  const std::size_t items = rig.objective.items.size();
  const std::vector<double> all = rig.evaluator.evaluate_flips(candidates);
  const auto num_sequences = static_cast<std::uint32_t>(rig.objective.sequences.size());
  std::vector<std::uint32_t> odd;
  for (std::uint32_t i = 1; i < num_sequences; i += 2) odd.push_back(i);
  for (const std::vector<std::uint32_t>& chosen : {std::vector<std::uint32_t>{0}, odd}) {
    const std::vector<double> some = rig.evaluator.evaluate_flips(candidates, chosen);
    std::size_t num_compared = 0;
    for (std::size_t item = 0; item < items; ++item) {
      bool inside = true;
      for (std::size_t i = rig.objective.items[item].first_term;
           i < rig.objective.items[item].last_term; ++i)
        inside = inside &&
                 std::binary_search(chosen.begin(), chosen.end(), rig.objective.terms[i].sequence);
      if (!inside) continue;
      for (std::size_t i = 0; i < candidates.size(); ++i)
        ASSERT_EQ(some[i * items + item], all[i * items + item]);
      ++num_compared;
    }
    EXPECT_GT(num_compared, 0U);
  }
}

TEST(Evaluator, the_noise_floor_is_zero) {
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16}) {
    EvaluatorRig rig(demo_model(), mode);
    const std::size_t items = rig.objective.items.size();
    const std::vector<double> base(rig.evaluator.base_scores().begin(),
                                   rig.evaluator.base_scores().end());
    EXPECT_EQ(rig.overlay_scores({}), base);
    EXPECT_EQ(rig.set_state({}), base);
    // Undoing what the state flips gives the unpatched model back, whatever shares the block.
    for (const Flip& flip : every(4, sample_flips(demo_model()))) {
      rig.set_state({flip});
      const Flip other = patch::row_flip(flip.tensor, flip.row ^ 1U);
      const std::vector<Flip> batch = {other, flip, other};
      const std::vector<double> scores = rig.evaluator.evaluate_flips(batch);
      ASSERT_EQ(scores_of(scores, 1, items), base) << to_string(flip);
    }
  }
}

// Enough sequences with common beginnings for several chunks, and enough blocks for every thread.
Objective large_objective() {
  ObjectiveBuilder builder(demo_model().tokenizer(), 64);
  for (const Probe& probe : demo_probes("sums.search", 0, 48))
    EXPECT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
  for (const Probe& probe : demo_probes("control", 0, 24))
    EXPECT_TRUE(builder.add_probe(probe, Metric::kSeqLogprob, 0.5, true, {}).ok());
  return std::move(builder).build();
}

TEST(Evaluator, shared_beginnings_score_as_sequences_by_themselves) {
  const Objective objective = large_objective();
  const std::vector<Flip> flips = {patch::row_flip({0, Projection::kUp}, 5),
                                   patch::group_flip({0, Projection::kKey}, 9, 1),
                                   patch::row_flip({4, Projection::kOutput}, 77),
                                   patch::bit_flip({4, Projection::kDown}, 3, 700),
                                   patch::row_flip({5, Projection::kValue}, 100),
                                   patch::row_flip({5, Projection::kGate}, 700),
                                   patch::group_flip({5, Projection::kDown}, 8, 2),
                                   patch::row_flip({5, Projection::kOutput}, 1)};
  for (const ActivationMode mode : {ActivationMode::kA8, ActivationMode::kA16})
    for (const int threads : {1, 3}) {
      model::Transformer transformer = make_transformer(demo_model(), mode, threads);
      Evaluator evaluator(transformer, objective, layer_tensors({0, 4, 5}));
      EXPECT_LT(evaluator.num_nodes(), objective.num_tokens() * 3 / 4);
      // Each flip several times, so that there are blocks for every thread.
      std::vector<Flip> candidates;
      for (std::size_t i = 0; i < 2 * flips.size(); ++i)
        candidates.push_back(flips[i % flips.size()]);
      const std::vector<double> scores = evaluator.evaluate_flips(candidates);
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::vector<double> one = scores_of(scores, i, objective.items.size());
        if (i >= flips.size()) {
          ASSERT_EQ(one, scores_of(scores, i - flips.size(), objective.items.size()));
          continue;
        }
        if (threads == 1) {
          ASSERT_EQ(one, evaluator.evaluate_overlay(make_overlay(demo_model(), {&flips[i], 1})));
        }
        if (threads == 1 || mode == ActivationMode::kA8 || i % 3 != 0) continue;  // takes longest
        const FlippedModel flipped(demo_model(), {&flips[i], 1});
        model::Transformer plain = make_transformer(flipped.model(), mode);
        ASSERT_EQ(one, plain_scores(plain, objective)) << to_string(flips[i]);
      }
    }
}

Objective objective_of(Metric metric, Metric control_metric) {
  ObjectiveBuilder builder(demo_model().tokenizer(), 16);
  for (const Probe& probe : demo_probes("sums.search", 0, 12))
    EXPECT_TRUE(builder.add_probe(probe, metric, 1.5, false, {1, 2}).ok());
  for (const Probe& probe : demo_probes("control", 0, 12))
    EXPECT_TRUE(builder.add_probe(probe, control_metric, 0.5, true, {1, 2}).ok());
  return std::move(builder).build();
}

TEST(Evaluator, rejects_exactly_what_does_not_exceed_the_threshold) {
  constexpr double kPenalty = 2.0;
  const std::vector<std::pair<Metric, Metric>> metrics = {
      {Metric::kNll, Metric::kNll},
      {Metric::kNll, Metric::kKl},
      {Metric::kMargin, Metric::kNll},
      {Metric::kSeqLogprob, Metric::kSeqLogprob},
      {Metric::kTokenGap, Metric::kMargin}};
  std::vector<Flip> flips;
  for (std::uint32_t row = 0; row < 24; ++row)
    flips.push_back(patch::row_flip(
        {3 + row % 3, row % 2 == 0 ? Projection::kGate : Projection::kDown}, 9 * row));
  for (const auto& [metric, control_metric] : metrics) {
    const Objective objective = objective_of(metric, control_metric);
    model::Transformer transformer = make_transformer(demo_model());
    Evaluator evaluator(transformer, objective, layer_tensors({3, 4, 5}));
    evaluator.set_state(make_overlay(demo_model(), {&flips[5], 1}));
    const std::vector<double> exact = evaluator.evaluate_flips(flips);
    const std::span<const double> base = evaluator.base_scores();
    std::vector<double> fitness;
    for (std::size_t i = 0; i < flips.size(); ++i)
      fitness.push_back(
          compute_fitness(objective, base, scores_of(exact, i, base.size()), kPenalty).fitness);
    std::vector<double> sorted = fitness;
    std::sort(sorted.begin(), sorted.end());
    for (const double threshold : {sorted[0] - 1.0, sorted[0], sorted[12], sorted[23]}) {
      const auto bounded =
          evaluator.evaluate_flips(flips, FitnessBound(objective, base, kPenalty, threshold));
      for (std::size_t i = 0; i < flips.size(); ++i) {
        ASSERT_EQ(bounded.is_rejected[i] != 0, fitness[i] <= threshold);
        if (bounded.is_rejected[i] == 0) {
          ASSERT_EQ(scores_of(bounded.scores, i, base.size()), scores_of(exact, i, base.size()));
        }
      }
    }
  }
}

TEST(Evaluator, tells_the_memory_of_a_token) {
  model::Hyperparameters h;
  h.embedding = 100;
  h.feed_forward = 300;
  h.num_heads = 4;
  h.num_kv_heads = 2;
  h.head_dim = 25;
  EXPECT_EQ(Evaluator::bytes_per_node(h, {}), 0U);
  // Two places with inputs; a normalised row and a residual; gate, up, their product, quantised.
  EXPECT_EQ(
      Evaluator::bytes_per_node(h, layer_tensors({0, 1}, {Projection::kGate, Projection::kDown})),
      4U * (2 * 100 + 2 * 100 + 4 * 300));
  EXPECT_EQ(Evaluator::bytes_per_node(h, layer_tensors({7}, {Projection::kKey})),
            4U * (100 + 2 * 100 + 3 * 100 + 2 * 50));
}

// A text that begins like the targets looks at tokens that they share with it and do not score.
TEST(Evaluator, tokens_that_only_a_later_chunk_scores_are_kept_at_the_top) {
  ObjectiveBuilder builder(demo_model().tokenizer(), 64);
  for (const Probe& probe : demo_probes("elements", 0, 4))
    ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
  ASSERT_TRUE(
      builder.add_text("text", "The capital of France is Paris.", Metric::kNll, 1.0, true).ok());
  const Objective objective = std::move(builder).build();
  const std::vector<TensorAddress> tensors = layer_tensors({4, 5}, {Projection::kGate});
  model::Transformer transformer = make_transformer(demo_model());
  Evaluator evaluator(transformer, objective, tensors);
  evaluator.set_state({});
  for (const TensorAddress tensor : tensors) {
    const Flip flip = patch::row_flip(tensor, 3);
    const FlippedModel flipped(demo_model(), {&flip, 1});
    model::Transformer plain = make_transformer(flipped.model());
    const std::vector<double> expected = plain_scores(plain, objective);
    EXPECT_EQ(evaluator.evaluate_flips({&flip, 1}), expected);
    EXPECT_EQ(
        evaluator.evaluate_overlay(make_overlay(demo_model(), {&flip, 1}), half_layer_of(tensor)),
        expected);
  }
}

}  // namespace
}  // namespace bankai::bfs
