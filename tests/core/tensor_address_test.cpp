#include "core/tensor_address.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace bankai {
namespace {

TEST(Projections, TheListStandsInTheOrderOfTheNumbers) {
  for (std::size_t i = 0; i < kProjections.size(); ++i)
    EXPECT_EQ(static_cast<std::size_t>(kProjections[i].projection), i);
}

TEST(Projections, EveryNameLeadsBack) {
  std::set<std::string_view> names;
  for (const ProjectionNames& entry : kProjections) {
    EXPECT_EQ(projection_from_short_name(short_name(entry.projection)), entry.projection);
    EXPECT_EQ(projection_from_patch_name(patch_name(entry.projection)), entry.projection);
    names.insert(entry.short_name);
    names.insert(entry.patch_name);
  }
  EXPECT_EQ(names.size(), 2 * kProjections.size());
}

TEST(Projections, UnknownNamesAreNone) {
  for (const char* name : {"", "Gate", "gate ", "gate_proj", "mlp"})
    EXPECT_FALSE(projection_from_short_name(name).has_value()) << name;
  for (const char* name : {"", "gate", "GATE_PROJ", "gate_proj.weight"})
    EXPECT_FALSE(projection_from_patch_name(name).has_value()) << name;
}

TEST(TensorAddress, SortsByLayerThenProjection) {
  const std::vector<TensorAddress> sorted = {{0, Projection::kGate},   {0, Projection::kUp},
                                             {0, Projection::kHead},   {1, Projection::kGate},
                                             {2, Projection::kOutput}, {10, Projection::kDown}};
  std::vector<TensorAddress> shuffled(sorted.rbegin(), sorted.rend());
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, sorted);
}

TEST(TensorAddress, IsPrintedForPeople) {
  EXPECT_EQ(to_string({3, Projection::kGate}), "layer 3 gate");
  EXPECT_EQ(to_string({0, Projection::kEmbedding}), "embed");
  EXPECT_EQ(to_string({0, Projection::kHead}), "head");
}

}  // namespace
}  // namespace bankai
