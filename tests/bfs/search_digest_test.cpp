#include "bfs/search_digest.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

struct Inputs {
  Sha256Digest model{};
  kernels::ActivationMode mode = kernels::ActivationMode::kA16;
  SearchOptions options;
  SearchData data;

  Inputs() {
    options.tensors = layer_tensors({5}, {Projection::kGate, Projection::kUp});
    const Probe probe{"name", "category", "prompt", "correct", "wrong", {"alternate"}};
    data.targets = {{{"a.json", {probe, probe}, {"text"}}, 1.0}};
    data.controls = {{{"b.json", {probe}, {}}, 1.0}};
    data.held_out = {{{"c.json", {probe}, {}}, 1.0}};
  }
  std::string digest() const { return to_hex(hash_search(model, mode, options, data)); }
};

using Change = std::function<void(Inputs&)>;

TEST(HashSearch, changes_with_everything_that_a_result_depends_on) {
  const std::vector<Change> changes = {
      [](Inputs& in) { in.model[31] = std::byte{1}; },
      [](Inputs& in) { in.mode = kernels::ActivationMode::kA8; },
      [](Inputs& in) { in.options.strategy = StrategyKind::kHillClimb; },
      [](Inputs& in) { in.options.metric = Metric::kMargin; },
      [](Inputs& in) { in.options.control_metric = Metric::kMargin; },
      [](Inputs& in) { in.options.control_penalty = 2.5; },
      [](Inputs& in) { in.options.granularity = Granularity::kBit; },
      [](Inputs& in) { in.options.tensors.pop_back(); },
      [](Inputs& in) { in.options.tensors[0].layer = 4; },
      [](Inputs& in) { in.options.tensors[0].projection = Projection::kDown; },
      [](Inputs& in) { in.options.iterations = 9; },
      [](Inputs& in) { in.options.seed = 9; },
      [](Inputs& in) { in.options.candidates = 9; },
      [](Inputs& in) { in.options.shortlist = 9; },
      [](Inputs& in) { in.options.budget_flips = 9; },
      [](Inputs& in) { in.options.budget_bytes = 9; },
      [](Inputs& in) { in.options.min_gain = 0.5; },
      [](Inputs& in) { in.options.probe_fraction = 0.5; },
      [](Inputs& in) { in.options.verify_fraction = 0.5; },
      [](Inputs& in) { in.options.min_effect = 0.5; },
      [](Inputs& in) { in.options.curvature = false; },
      [](Inputs& in) { in.options.bare = true; },
      [](Inputs& in) { in.options.all_scores = true; },
      [](Inputs& in) { in.options.patience = 9; },
      [](Inputs& in) { in.options.population = 9; },
      [](Inputs& in) { in.options.pareto = true; },
      [](Inputs& in) { in.options.flip_penalty = 0.5; },
      [](Inputs& in) { in.options.patch_name = "other"; },
      [](Inputs& in) { in.options.text_context = 9; },
      [](Inputs& in) { in.data.targets[0].weight = 2.0; },
      [](Inputs& in) { in.data.targets[0].data.texts[0] = "texts"; },
      [](Inputs& in) { in.data.targets[0].data.texts.emplace_back(); },
      [](Inputs& in) { in.data.targets[0].data.probes.pop_back(); },
      [](Inputs& in) { in.data.targets[0].data.probes[1].name = "x"; },
      [](Inputs& in) { in.data.targets[0].data.probes[1].prompt = "x"; },
      [](Inputs& in) { in.data.targets[0].data.probes[1].correct = "x"; },
      [](Inputs& in) { in.data.targets[0].data.probes[1].wrong = "x"; },
      [](Inputs& in) { in.data.targets[0].data.probes[1].alternates.clear(); },
      [](Inputs& in) { in.data.targets.push_back(in.data.targets[0]); },
      [](Inputs& in) {
        std::swap(in.data.controls[0].data.probes[0].prompt,
                  in.data.controls[0].data.probes[0].correct);
      },
      [](Inputs& in) { in.data.controls.clear(); },
      [](Inputs& in) { in.data.held_out.clear(); },
      // The same texts, divided in another way.
      [](Inputs& in) {
        in.data.targets[0].data.probes[0].name = "namep";
        in.data.targets[0].data.probes[0].prompt = "rompt";
      },
  };
  std::set<std::string> digests = {Inputs().digest()};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Inputs inputs;
    changes[i](inputs);
    EXPECT_TRUE(digests.insert(inputs.digest()).second) << "change " << i;
  }
}

TEST(HashSearch, does_not_depend_on_how_the_work_is_shared) {
  Inputs inputs;
  inputs.options.shards = 3;
  inputs.options.activation_bytes = 1;
  EXPECT_EQ(inputs.digest(), Inputs().digest());
}

TEST(HashSearch, does_not_depend_on_file_names) {
  Inputs inputs;
  inputs.data.targets[0].data.path = "/elsewhere/a.json";
  EXPECT_EQ(inputs.digest(), Inputs().digest());
}

TEST(HashModel, is_the_hash_of_the_file) {
  // data/demo/SHA256SUMS
  Sha256 hash;
  hash.update(demo_model().file().bytes());
  EXPECT_EQ(hash_model(demo_model().file()), hash.finish());
}

}  // namespace
}  // namespace bankai::bfs
