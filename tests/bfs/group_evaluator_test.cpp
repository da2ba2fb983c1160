#include "bfs/group_evaluator.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "bfs/evaluator.h"
#include "bfs/item_sample.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

// Five items: probes that share a beginning, and a control.
Objective small_objective() {
  ObjectiveBuilder builder(demo_model().tokenizer(), 24);
  for (const Probe& probe : demo_probes("sums.search", 0, 4))
    EXPECT_TRUE(builder.add_probe(probe, Metric::kNll, 1.0, false, {}).ok());
  for (const Probe& probe : demo_probes("capitals", 0, 1))
    EXPECT_TRUE(builder.add_probe(probe, Metric::kKl, 1.0, true, {}).ok());
  return std::move(builder).build();
}

const std::vector<TensorAddress>& searched() {
  static const std::vector<TensorAddress> tensors = layer_tensors({4, 5}, {Projection::kUp});
  return tensors;
}

const std::vector<patch::Flip>& some_flips() {
  static const std::vector<patch::Flip> flips = {patch::row_flip(searched()[0], 3),
                                                 patch::row_flip(searched()[0], 40),
                                                 {searched()[1], 7, patch::FlipKind::kGroup, 1}};
  return flips;
}

std::vector<patch::Flip> state_flips() { return {patch::row_flip(searched()[1], 99)}; }

// The scores that an Evaluator of the whole objective has.
struct Expected {
  std::vector<double> base, state, overlay, alone, flips;

  Expected() {
    const Objective objective = small_objective();
    model::Transformer transformer = make_transformer(demo_model());
    Evaluator evaluator(transformer, objective, searched());
    base.assign(evaluator.base_scores().begin(), evaluator.base_scores().end());
    overlay = evaluator.evaluate_patch(state_flips());
    state = evaluator.enter_patch(state_flips());
    alone = evaluator.evaluate_flips(std::span(some_flips()).first(1));
    flips = evaluator.evaluate_flips(some_flips());
  }
};

const Expected& expected() {
  static const Expected scores;
  return scores;
}

// Runs on `ranks` ranks, in groups of at least `shards` if that is not 0.
void run_groups(int ranks, int shards,
                const std::function<void(GroupEvaluator&, mpi::Communicator&)>& body) {
  mpi::run_ranks(ranks, [&](mpi::Communicator& comm) {
    std::optional<mpi::RankGroups> groups;
    if (shards > 0) groups.emplace(comm, mpi::GroupLayout(ranks, shards));
    const Objective objective = small_objective();
    model::Transformer transformer = make_transformer(demo_model());
    const std::unique_ptr<SearchModel> searchable = make_search_model(transformer);
    GroupEvaluator evaluator(*searchable, objective, searched(), comm, groups ? &*groups : nullptr);
    body(evaluator, comm);
  });
}

TEST(GroupEvaluator, has_the_scores_of_all_items_in_any_layout) {
  const std::vector<std::size_t> all = all_items(small_objective());
  for (const auto& [ranks, shards] :
       {std::pair(1, 0), {2, 0}, {1, 1}, {2, 2}, {3, 2}, {5, 2}, {3, 3}, {7, 7}}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks, " + std::to_string(shards) + " shards");
    run_groups(ranks, shards, [&](GroupEvaluator& evaluator, mpi::Communicator&) {
      EXPECT_EQ(evaluator.base_scores(), expected().base);
      EXPECT_EQ(evaluator.evaluate_patch(state_flips()), expected().overlay);
      EXPECT_EQ(evaluator.enter_patch(state_flips()), expected().state);
      EXPECT_EQ(evaluator.evaluate_flip(some_flips()[0], all), expected().alone);
      const Result<std::vector<double>> flips = evaluator.evaluate_in_order<double>(
          std::vector<std::uint64_t>(3, 1),
          [](FlipEvaluator& part, std::size_t batch) -> Result<std::vector<double>> {
            return part.evaluate_flips(std::span(some_flips()).subspan(batch, 1));
          },
          [](std::size_t, std::span<const double> scores) {
            return std::vector<double>(scores.begin(), scores.end());
          });
      ASSERT_TRUE(flips.ok());
      EXPECT_EQ(*flips, expected().flips);
    });
  }
}

TEST(GroupEvaluator, has_the_scores_of_chosen_items) {
  for (const auto& [ranks, shards] : {std::pair(1, 0), {2, 2}, {3, 3}, {6, 6}}) {
    run_groups(ranks, shards, [&](GroupEvaluator& evaluator, mpi::Communicator&) {
      evaluator.enter_patch(state_flips());
      for (const std::vector<std::size_t>& items :
           {std::vector<std::size_t>{0}, {4}, {1, 3}, {0, 2, 4}}) {
        const std::vector<double> scores = evaluator.evaluate_flip(some_flips()[0], items);
        ASSERT_EQ(scores.size(), expected().alone.size());
        for (const std::size_t item : items) EXPECT_EQ(scores[item], expected().alone[item]);
      }
    });
  }
}

// A rank draws batches for its whole group; who fails in it does not matter.
TEST(GroupEvaluator, fails_on_all_ranks_alike) {
  for (const int failing : {0, 1, 4}) {
    run_groups(5, 2, [&](GroupEvaluator& evaluator, mpi::Communicator& comm) {
      const Result<std::vector<double>> scores = evaluator.evaluate_in_order<double>(
          std::vector<std::uint64_t>(8, 1),
          [&](FlipEvaluator& part, std::size_t batch) -> Result<std::vector<double>> {
            if (comm.rank() == failing) return Error{ErrorCode::kStopped, "stopped"};
            return part.evaluate_flips(std::span(some_flips()).subspan(batch % 3, 1));
          },
          [](std::size_t, std::span<const double>) { return std::vector<double>(1); });
      // The other group may have been quicker with all the batches.
      if (scores.ok()) {
        EXPECT_EQ(scores->size(), 8U);
      } else {
        EXPECT_EQ(scores.error().code, ErrorCode::kStopped);
      }
      const std::int64_t failed = comm.all_reduce(scores.ok() ? 0 : 1, mpi::ReduceOp::kSum);
      EXPECT_TRUE(failed == 0 || failed == comm.size());
    });
  }
}

}  // namespace
}  // namespace bankai::bfs
