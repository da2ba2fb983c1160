#include "bfs/held_out.h"

#include <gtest/gtest.h>

#include "bfs/fitness.h"
#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

const std::vector<patch::Flip> kFlips = {patch::row_flip({5, Projection::kGate}, 10),
                                         patch::row_flip({5, Projection::kUp}, 11)};

std::vector<WeightedData> data_with_text() {
  std::vector<WeightedData> data = {demo_data("sums.heldout", 0, 6),
                                    demo_data("capitals", 0, 3, 2.0)};
  data.push_back({{"text", {}, {"The capital of France is Paris. 2 + 2 = 4."}}, 0.5});
  return data;
}

TEST(HeldOut, gain_is_the_change_of_the_weighted_mean) {
  mpi::SelfCommunicator self;
  model::Transformer transformer = make_transformer(demo_model());
  Result<HeldOut> held_out = HeldOut::create(transformer, self, data_with_text(), 64);
  ASSERT_TRUE(held_out.ok()) << held_out.error().message;
  EXPECT_FALSE(held_out->empty());
  EXPECT_EQ(held_out->gain({}), 0.0);

  ObjectiveBuilder builder(demo_model().tokenizer(), 64);
  for (const WeightedData& source : data_with_text()) {
    for (const Probe& probe : source.data.probes)
      ASSERT_TRUE(builder.add_probe(probe, Metric::kNll, source.weight, false, {}).ok());
    for (const std::string& text : source.data.texts)
      ASSERT_TRUE(builder.add_text("t", text, Metric::kNll, source.weight, false).ok());
  }
  const Objective objective = std::move(builder).build();
  const FlippedModel flipped(demo_model(), kFlips);
  model::Transformer before = make_transformer(demo_model());
  model::Transformer after = make_transformer(flipped.model());
  const double mean_before = mean_score(objective, plain_scores(before, objective), false);
  const double mean_after = mean_score(objective, plain_scores(after, objective), false);
  EXPECT_EQ(held_out->gain(kFlips), mean_after - mean_before);
}

TEST(HeldOut, compares_answers_of_the_unpatched_and_the_patched_model) {
  mpi::SelfCommunicator self;
  // Flips that do harm, so that something is broken: all of the last layer's first gate rows.
  std::vector<patch::Flip> flips;
  for (std::uint32_t row = 0; row < 300; ++row)
    flips.push_back(patch::row_flip({5, Projection::kDown}, row % 256));
  for (std::uint32_t row = 0; row < 200; ++row)
    flips.push_back(patch::row_flip({4, Projection::kGate}, row));
  const FlippedModel flipped(demo_model(), flips);
  model::Transformer before = make_transformer(demo_model());
  model::Transformer after = make_transformer(flipped.model());
  Result<HeldOut> held_out = HeldOut::create(before, self, data_with_text(), 64);
  ASSERT_TRUE(held_out.ok());
  const HeldOutResult result = held_out->compare(flips, {});

  std::vector<Probe> probes = demo_probes("sums.heldout", 0, 6);
  for (const Probe& probe : demo_probes("capitals", 0, 3)) probes.push_back(probe);
  const std::vector<Answer> answers_before = generate_answers(before, {}, probes, {});
  const std::vector<Answer> answers_after = generate_answers(after, {}, probes, {});
  EXPECT_EQ(result.num_probes, probes.size());
  EXPECT_EQ(result.correct_before, count_correct(answers_before));
  EXPECT_EQ(result.correct_after, count_correct(answers_after));
  std::vector<std::string> fixed;
  std::vector<std::string> broken;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    if (!answers_before[i].correct && answers_after[i].correct) fixed.push_back(probes[i].name);
    if (answers_before[i].correct && !answers_after[i].correct) broken.push_back(probes[i].name);
  }
  EXPECT_EQ(result.fixed, fixed);
  EXPECT_EQ(result.broken, broken);
  EXPECT_FALSE(result.broken.empty());
  EXPECT_FALSE(result.generalises(1.0));
  EXPECT_LT(result.score_after, result.score_before);
}

TEST(HeldOut, does_not_depend_on_the_number_of_ranks) {
  std::vector<std::vector<WeightedData>> some = {data_with_text()};
  some.push_back({demo_data("sums.heldout", 0, 2)});  // fewer items than ranks
  for (const std::vector<WeightedData>& data : some) {
    HeldOutResult expected;
    double expected_gain = 0.0;
    for (const int ranks : {1, 2, 3})
      mpi::run_ranks(ranks, [&](mpi::Communicator& communicator) {
        model::Transformer transformer = make_transformer(demo_model());
        Result<HeldOut> held_out = HeldOut::create(transformer, communicator, data, 64);
        ASSERT_TRUE(held_out.ok());
        const HeldOutResult result = held_out->compare(kFlips, {});
        const double gain = held_out->gain(kFlips);
        if (ranks == 1) {
          expected = result;
          expected_gain = gain;
        }
        EXPECT_EQ(gain, expected_gain);
        EXPECT_EQ(result.score_before, expected.score_before);
        EXPECT_EQ(result.score_after, expected.score_after);
        EXPECT_EQ(result.correct_before, expected.correct_before);
        EXPECT_EQ(result.correct_after, expected.correct_after);
        EXPECT_EQ(result.fixed, expected.fixed);
        EXPECT_EQ(result.broken, expected.broken);
      });
  }
}

TEST(HeldOutResult, generalises_by_answers_and_without_probes_by_score) {
  HeldOutResult result;
  result.score_before = -2.0;
  result.score_after = -1.0;
  EXPECT_TRUE(result.generalises(0.05));
  result.num_probes = 9;
  EXPECT_FALSE(result.generalises(1.0));  // a better score alone does not count
  result.fixed = {"a", "b"};
  result.broken = {"c"};
  EXPECT_TRUE(result.generalises(1.0));
  EXPECT_FALSE(result.generalises(0.05));  // 4 of 8 tosses of three coins
  result.fixed = {"a", "b", "d", "e", "f"};
  result.broken = {};
  EXPECT_TRUE(result.generalises(0.05));  // 1 of 32
  result.broken = {"c"};
  EXPECT_FALSE(result.generalises(0.05));  // 7 of 64
  result.broken = {"c", "g", "h", "i", "j"};
  EXPECT_FALSE(result.generalises(1.0));
}

TEST(HeldOut, may_be_empty_and_refuses_what_cannot_be_scored) {
  mpi::SelfCommunicator self;
  model::Transformer transformer = make_transformer(demo_model());
  Result<HeldOut> empty = HeldOut::create(transformer, self, {}, 64);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
  EXPECT_EQ(empty->gain({}), 0.0);
  const std::vector<WeightedData> short_text = {{{"short.txt", {}, {"a"}}, 1.0}};
  EXPECT_FALSE(HeldOut::create(transformer, self, short_text, 64).ok());
}

}  // namespace
}  // namespace bankai::bfs
