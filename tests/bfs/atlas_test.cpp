// The atlas against sums over all predictions, its independence of ranks, threads and order, the
// law of merging, and its file.
#include "bfs/atlas.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bfs/atlas_json.h"
#include "bfs/atlas_merge.h"
#include "bfs/atlas_tally.h"
#include "bfs/evaluator.h"
#include "bfs/item_sample.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

constexpr double kPenalty = 1.5;

struct Trial {
  const model::Model* model = &demo_model();
  SearchOptions options;
  SearchData data;

  Trial(const model::Model& of, const std::vector<TensorAddress>& tensors, Granularity granularity)
      : model(&of) {
    options.tensors = tensors;
    options.granularity = granularity;
    options.control_penalty = kPenalty;
    data.targets = {demo_data("sums.search", 0, 5), demo_data("words", 0, 3, 0.25)};
    data.controls = {demo_data("capitals", 0, 4)};
  }

  // `look` sees the context before the atlas is made.
  Atlas make(
      mpi::Communicator& communicator, int threads = 1,
      const std::function<void(SearchContext&)>& look = [](SearchContext&) {}) const {
    model::Transformer transformer =
        make_transformer(*model, kernels::ActivationMode::kA16, threads);
    auto context = SearchContext::create(transformer, communicator, options, data, {});
    EXPECT_TRUE(context.ok());
    look(**context);
    auto atlas =
        make_atlas(**context, data, "a model", std::string(64, 'a'), kernels::ActivationMode::kA16);
    EXPECT_TRUE(atlas.ok());
    return std::move(atlas).value();
  }
  Atlas make() const {
    mpi::SelfCommunicator self;
    return make(self);
  }
};

class AllChanges final : public ChangeSink {
 public:
  void take(CandidateId first, std::span<const PredictedChange> some) override {
    for (const PredictedChange& change : some) changes[first++] = change;
  }
  std::map<CandidateId, PredictedChange> changes;
};

// The statistics of some candidates the plain way.
struct Plain {
  std::uint64_t count = 0, improving = 0;
  double gain = 0.0, abs_gain = 0.0, loss = 0.0;
  AtlasRange gains{1e9, -1e9}, losses{1e9, -1e9}, fitness{1e9, -1e9};
  CandidateId best = 0;

  void add(CandidateId id, const PredictedChange& change) {
    const double g = PredictedChange::to_double(change.target_gain);
    const double l = PredictedChange::to_double(change.control_loss);
    const double f = g - kPenalty * l;
    ++count;
    improving += f > 0.0 ? 1 : 0;
    gain += g;
    abs_gain += std::abs(g);
    loss += l;
    if (f > fitness.max) best = id;
    for (auto [range, value] : {std::pair(&gains, g), {&losses, l}, {&fitness, f}})
      *range = {std::min(range->min, value), std::max(range->max, value)};
  }
};

void expect_range(const AtlasRange& a, const AtlasRange& b) {
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.max, b.max);
}

void expect_plain(const AtlasKind& kind, const Plain& plain, const CandidateSpace& space) {
  const auto count = static_cast<double>(plain.count);
  ASSERT_TRUE(kind.detail);
  EXPECT_EQ(kind.candidates, plain.count);
  EXPECT_NEAR(kind.mean_target_gain, plain.gain / count, 1e-13);
  EXPECT_NEAR(kind.mean_control_loss, plain.loss / count, 1e-13);
  EXPECT_NEAR(kind.detail->mean_abs_target_gain, plain.abs_gain / count, 1e-13);
  EXPECT_EQ(kind.detail->improving, plain.improving);
  expect_range(kind.detail->target_gain, plain.gains);
  expect_range(kind.detail->control_loss, plain.losses);
  expect_range(kind.detail->fitness, plain.fitness);
  EXPECT_EQ(to_string(kind.detail->best), to_string(space.flip(plain.best)));
  EXPECT_EQ(kind.detail->best_target_gain - kPenalty * kind.detail->best_control_loss,
            plain.fitness.max);
}

void expect_sums_of_all_predictions(const Trial& trial) {
  mpi::SelfCommunicator self;
  AllChanges all;
  const Atlas atlas = trial.make(self, 1, [&](SearchContext& context) {
    SearchState state;
    ASSERT_TRUE(context.enter_state(state).ok());
    ASSERT_TRUE(context.predict(all_items(context.objective()), state, all).ok());
  });
  const CandidateSpace space(*trial.model, trial.options.tensors, trial.options.granularity);
  std::map<std::pair<std::uint32_t, patch::FlipKind>, Plain> layers;
  ASSERT_EQ(atlas.tensors.size(), space.tensors().size());
  for (std::size_t tensor = 0; tensor < space.tensors().size(); ++tensor) {
    for (const AtlasKind& kind : atlas.tensors[tensor].kinds) {
      const std::uint64_t per_row = space.count_per_row(tensor, kind.kind);
      Plain plain;
      std::vector<Plain> rows(atlas.tensors[tensor].rows);
      for (std::uint64_t i = 0; i < space.count(tensor, kind.kind); ++i) {
        const CandidateId id = space.first(tensor, kind.kind) + i;
        plain.add(id, all.changes.at(id));
        rows[i / per_row].add(id, all.changes.at(id));
        layers[{space.tensors()[tensor].layer, kind.kind}].add(id, all.changes.at(id));
      }
      expect_plain(kind, plain, space);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        if (kind.kind == patch::FlipKind::kRow) {
          ASSERT_EQ(kind.row_target_gain[row], static_cast<float>(rows[row].gain));
          ASSERT_EQ(kind.row_control_loss[row], static_cast<float>(rows[row].loss));
        } else {
          ASSERT_EQ(kind.row_best[row], static_cast<float>(rows[row].fitness.max));
          ASSERT_EQ(kind.row_improving[row], rows[row].improving);
        }
      }
    }
  }
  for (const AtlasLayer& layer : atlas.layers)
    for (const AtlasKind& kind : layer_kinds(atlas, layer.layer))
      expect_plain(kind, layers.at({layer.layer, kind.kind}), space);
}

TEST(Atlas, sums_up_all_predictions) {
  expect_sums_of_all_predictions(Trial(demo_model(),
                                       layer_tensors({0, 5}, {Projection::kUp, Projection::kQuery}),
                                       Granularity::kMixed));
  expect_sums_of_all_predictions(Trial(tiny_model(), layer_tensors({1}), Granularity::kGroup));
}

// The whole network of a layer flipped, against a model file with those bits complemented.
TEST(Atlas, maps_layers_exactly) {
  for (const auto& tensors :
       {layer_tensors({1}, {Projection::kUp}), layer_tensors({1}, {Projection::kValue})}) {
    const Trial trial(tiny_model(), tensors, Granularity::kRow);
    std::vector<patch::Flip> flips;
    for (const Projection projection : {Projection::kGate, Projection::kUp, Projection::kDown})
      for (std::uint32_t row = 0; row < tiny_model().bit_matrix({1, projection})->rows(); ++row)
        flips.push_back(patch::row_flip({1, projection}, row));
    const FlippedModel flipped(tiny_model(), flips);
    LayerImpact expected;
    mpi::SelfCommunicator self;
    const Atlas atlas = trial.make(self, 1, [&](SearchContext& context) {
      const Objective& objective = context.objective();
      model::Transformer transformer = make_transformer(flipped.model());
      Evaluator evaluator(transformer, objective, {});
      double weight = 0.0, control_weight = 0.0;
      for (std::size_t i = 0; i < objective.items.size(); ++i) {
        const Item& item = objective.items[i];
        const double change = evaluator.base_scores()[i] - context.base_scores()[i];
        (item.is_control ? control_weight : weight) += item.weight;
        (item.is_control ? expected.control_change : expected.mean_change) += item.weight * change;
        if (!item.is_control) expected.mean_abs_change += item.weight * std::abs(change);
      }
      expected.mean_change /= weight;
      expected.mean_abs_change /= weight;
      expected.control_change /= control_weight;
    });
    ASSERT_EQ(atlas.layers.size(), 1U);
    ASSERT_TRUE(atlas.layers[0].impact);
    EXPECT_EQ(atlas.layers[0].impact->mean_abs_change, expected.mean_abs_change);
    EXPECT_EQ(atlas.layers[0].impact->mean_change, expected.mean_change);
    EXPECT_EQ(atlas.layers[0].impact->control_change, expected.control_change);
    EXPECT_GT(expected.mean_abs_change, 0.0);
  }
}

TEST(Atlas, has_the_same_bytes_for_any_ranks_and_threads) {
  Trial trial(demo_model(), layer_tensors({3, 5}, {Projection::kGate, Projection::kOutput}),
              Granularity::kMixed);
  trial.data.targets.push_back(demo_data("sums.search", 5, 60));
  const std::string expected = format_atlas(trial.make());
  mpi::SelfCommunicator self;
  EXPECT_EQ(format_atlas(trial.make(self, 2)), expected);
  for (const int ranks : {2, 3})
    mpi::run_ranks(ranks, [&](mpi::Communicator& communicator) {
      EXPECT_EQ(format_atlas(trial.make(communicator, 2)), expected);
    });
}

TEST(Atlas, tells_what_the_data_were) {
  const Atlas atlas =
      Trial(demo_model(), layer_tensors({5}, {Projection::kGate}), Granularity::kRow).make();
  ASSERT_EQ(atlas.sources.size(), 3U);
  EXPECT_EQ(atlas.sources[1].file, "words");
  EXPECT_EQ(atlas.sources[1].items, 3U);
  EXPECT_EQ(atlas.sources[1].item_weight, 0.75);
  EXPECT_GT(atlas.sources[1].tokens, 3U);
  EXPECT_FALSE(atlas.sources[1].is_control);
  EXPECT_TRUE(atlas.sources[2].is_control);
  EXPECT_EQ(atlas.sources[2].items, 4U);
}

TEST(AtlasTally, does_not_depend_on_the_order_of_candidates) {
  constexpr std::size_t kRows = 5, kPerRow = 7;
  std::vector<PredictedChange> changes;
  for (std::uint64_t i = 0; i < kRows * kPerRow; ++i)
    changes.push_back(
        {static_cast<std::int64_t>(i * 7 % 11) - 5, static_cast<std::int64_t>(i % 3)});
  const auto tally = [&](std::size_t step, bool backwards) {
    AtlasTally result({2, Projection::kUp}, patch::FlipKind::kBit, kRows, kPerRow, kPenalty);
    for (std::size_t i = 0; i < changes.size(); i += step) {
      const std::size_t first = backwards ? (changes.size() - 1 - i) / step * step : i;
      result.add(first, std::span(changes).subspan(first, std::min(step, changes.size() - first)));
    }
    return std::move(result).finish();
  };
  const AtlasKind expected = tally(changes.size(), false);
  for (const std::size_t step : {1U, 2U, 7U, 10U})
    for (const bool backwards : {false, true}) {
      const AtlasKind other = tally(step, backwards);
      EXPECT_EQ(other.mean_target_gain, expected.mean_target_gain);
      EXPECT_EQ(other.row_best, expected.row_best);
      EXPECT_EQ(other.row_improving, expected.row_improving);
      EXPECT_EQ(other.detail->best, expected.detail->best) << "the first of equals";
      expect_range(other.detail->fitness, expected.detail->fitness);
    }
}

void expect_near_lists(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-7) << i;
}

// Equal but for rounding; groups and bits of `merged` without detail.
void expect_near(const Atlas& merged, const Atlas& whole) {
  ASSERT_EQ(merged.tensors.size(), whole.tensors.size());
  for (std::size_t tensor = 0; tensor < whole.tensors.size(); ++tensor)
    for (std::size_t i = 0; i < whole.tensors[tensor].kinds.size(); ++i) {
      const AtlasKind &a = merged.tensors[tensor].kinds[i], &b = whole.tensors[tensor].kinds[i];
      EXPECT_EQ(a.kind, b.kind);
      EXPECT_EQ(a.candidates, b.candidates);
      // Digits of gradients depend on what is summed with them.
      EXPECT_NEAR(a.mean_target_gain, b.mean_target_gain, 2e-7);
      EXPECT_NEAR(a.mean_control_loss, b.mean_control_loss, 2e-7);
      expect_near_lists(a.row_target_gain, b.row_target_gain);
      expect_near_lists(a.row_control_loss, b.row_control_loss);
      EXPECT_EQ(a.detail.has_value(), a.kind == patch::FlipKind::kRow);
      if (!a.detail) {
        EXPECT_TRUE(a.row_best.empty() && a.row_improving.empty());
        continue;
      }
      EXPECT_EQ(a.detail->improving, b.detail->improving);
      EXPECT_EQ(a.detail->best, b.detail->best);
      EXPECT_NEAR(a.detail->fitness.max, b.detail->fitness.max, 1e-6);
      EXPECT_NEAR(a.detail->fitness.min, b.detail->fitness.min, 1e-6);
      EXPECT_NEAR(a.detail->mean_abs_target_gain, b.detail->mean_abs_target_gain, 1e-7);
    }
  for (std::size_t i = 0; i < whole.layers.size(); ++i) {
    const LayerImpact a = *merged.layers[i].impact, b = *whole.layers[i].impact;
    EXPECT_NEAR(a.mean_abs_change, b.mean_abs_change, 1e-12 * std::abs(b.mean_abs_change));
    EXPECT_NEAR(a.mean_change, b.mean_change, 1e-12 * std::abs(b.mean_change));
    EXPECT_NEAR(a.control_change, b.control_change, 1e-12 * std::abs(b.control_change));
  }
}

void expect_equal_sources(const Atlas& a, const Atlas& b) {
  const auto text = [](const Atlas& atlas) {
    Atlas only = atlas;
    only.layers.clear();
    only.tensors.clear();
    return format_atlas(only);
  };
  EXPECT_EQ(text(a), text(b));
}

TEST(AtlasMerge, is_the_atlas_of_all_data) {
  const auto tensors = layer_tensors({4, 5}, {Projection::kGate, Projection::kDown});
  Trial a(demo_model(), tensors, Granularity::kMixed), b = a, c = a, whole = a;
  b.data.targets = {demo_data("elements", 0, 4, 3.0)};
  b.data.controls = {demo_data("words", 3, 2), {{"t", {}, {"Once there was a small dog."}}, 0.5}};
  c.data.targets = {demo_data("sums.search", 20, 3)};
  c.data.controls.clear();
  for (const Trial* part : {&b, &c}) {
    whole.data.targets.insert(whole.data.targets.end(), part->data.targets.begin(),
                              part->data.targets.end());
    whole.data.controls.insert(whole.data.controls.end(), part->data.controls.begin(),
                               part->data.controls.end());
  }
  const Atlas parts[] = {a.make(), b.make(), c.make()};
  for (const Atlas& part : parts) ASSERT_TRUE(check_mergeable(parts[0], part).ok());
  const Atlas expected = whole.make(), merged = merge_atlases(parts);
  expect_near(merged, expected);
  expect_equal_sources(merged, expected);
  // In two steps, with a file in between.
  const auto two = parse_atlas(format_atlas(merge_atlases(std::span(parts, 2))));
  ASSERT_TRUE(two.ok()) << two.error().message;
  const Atlas steps[] = {*two, parts[2]};
  ASSERT_TRUE(check_mergeable(steps[0], steps[1]).ok());
  expect_near(merge_atlases(steps), expected);
  expect_equal_sources(merge_atlases(steps), expected);
  EXPECT_EQ(format_atlas(merge_atlases(std::span(parts, 1))), format_atlas(parts[0]));
}

TEST(AtlasJson, reads_what_it_writes) {
  Trial trial(demo_model(), layer_tensors({5}, {Projection::kGate, Projection::kOutput}),
              Granularity::kMixed);
  const Atlas atlases[] = {trial.make(), trial.make()};
  for (const Atlas& atlas : {atlases[0], merge_atlases(atlases)}) {
    const std::string text = format_atlas(atlas);
    const auto again = parse_atlas(text);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(format_atlas(*again), text);
    EXPECT_TRUE(check_mergeable(atlas, *again).ok());
    const std::string summary = format_atlas_summary(*again);
    EXPECT_EQ(summary.find('\n'), summary.size() - 1);
    EXPECT_LT(summary.size(), text.size());
  }
}

}  // namespace
}  // namespace bankai::bfs
