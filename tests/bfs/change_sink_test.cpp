#include "bfs/change_sink.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/counter_rng.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

constexpr double kPenalty = 2.0;

CandidateSpace make_space() {
  return {demo_model(), layer_tensors({4, 5}, {Projection::kGate, Projection::kUp}),
          Granularity::kMixed};
}

std::vector<PredictedChange> random_changes(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<PredictedChange> changes(count);
  for (std::size_t i = 0; i < count; ++i)
    changes[i] = {PredictedChange::to_fixed(rng.uniform(2 * i) - 0.5),
                  PredictedChange::to_fixed(0.3 * rng.uniform(2 * i + 1))};
  return changes;
}

TEST(ChangeTable, adds_what_comes_for_a_candidate) {
  ChangeTable table(100, 50);
  const auto a = random_changes(30, 1), b = random_changes(10, 2);
  table.take(110, a);
  table.take(115, b);
  const auto sums = table.changes(110, 30);
  for (std::size_t i = 0; i < 30; ++i) {
    const bool both = i >= 5 && i < 15;
    EXPECT_EQ(sums[i].target_gain, a[i].target_gain + (both ? b[i - 5].target_gain : 0));
    EXPECT_EQ(sums[i].control_loss, a[i].control_loss + (both ? b[i - 5].control_loss : 0));
  }
  EXPECT_EQ(table.changes(100, 1)[0].target_gain, 0);
}

TEST(BestChanges, are_those_of_sorting_all_of_them_in_any_order_of_arrival) {
  const CandidateSpace space = make_space();
  const ByFlipKind price = {2.0, 3.0, 5.0, 7.0, 7.0};
  const auto is_legal = [](CandidateId id) { return id % 5 != 1; };
  struct Batch {
    CandidateId first;
    std::vector<PredictedChange> changes;
  };
  std::vector<Batch> batches;
  std::vector<Proposal> all;
  for (std::size_t tensor = 0; tensor < space.tensors().size(); ++tensor)
    for (const auto kind :
         {patch::FlipKind::kRow, patch::FlipKind::kGroup, patch::FlipKind::kBit}) {
      batches.push_back({space.first(tensor, kind), random_changes(300, batches.size())});
      for (std::size_t i = 0; i < 300; ++i) {
        const double gain = batches.back().changes[i].fitness(kPenalty);
        const double worth = gain / price[static_cast<std::size_t>(kind)];
        const CandidateId id = batches.back().first + i;
        if (gain > 0.0 && is_legal(id)) all.push_back({id, gain, 0.0, 0.0, worth});
      }
    }
  std::sort(all.begin(), all.end(), Proposal::better);
  for (int turn = 0; turn < 2; ++turn) {
    BestChanges best(space, 40, kPenalty, price, is_legal);
    for (const Batch& batch : batches) best.take(batch.first, batch.changes);
    const std::vector<Proposal> proposals = std::move(best).proposals();
    ASSERT_EQ(proposals.size(), 40U);
    for (std::size_t i = 0; i < 40; ++i) {
      EXPECT_EQ(proposals[i].id, all[i].id);
      EXPECT_EQ(proposals[i].worth, all[i].worth);
    }
    std::reverse(batches.begin(), batches.end());
  }
}

TEST(BestChanges, of_equals_are_the_first_and_none_that_promises_nothing) {
  const CandidateSpace space = make_space();
  const ByFlipKind price = {1.0, 1.0, 1.0, 1.0, 1.0};
  BestChanges best(space, 3, kPenalty, price, [](CandidateId) { return true; });
  const std::vector<PredictedChange> equal(20, {1000, 0}), none(20, {0, 0});
  best.take(20, equal);
  best.take(0, equal);
  best.take(40, none);
  const auto proposals = std::move(best).proposals();
  ASSERT_EQ(proposals.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(proposals[i].id, i);
}

}  // namespace
}  // namespace bankai::bfs
