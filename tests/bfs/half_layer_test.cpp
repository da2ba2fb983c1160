#include "bfs/half_layer.h"

#include <gtest/gtest.h>

namespace bankai::bfs {
namespace {

TEST(HalfLayer, counts_those_of_a_pass_to_the_top) {
  EXPECT_EQ(half_layers_from({0, false}, 3), 6U);
  EXPECT_EQ(half_layers_from({0, true}, 3), 5U);
  EXPECT_EQ(half_layers_from({1, true}, 3), 3U);
  EXPECT_EQ(half_layers_from({2, false}, 3), 2U);
  EXPECT_EQ(half_layers_from({2, true}, 3), 1U);
}

TEST(HalfLayer, follows_the_forward_pass) {
  const auto place = [](std::uint32_t layer, Projection projection) {
    return half_layer_of({layer, projection});
  };
  for (const Projection projection :
       {Projection::kQuery, Projection::kKey, Projection::kValue, Projection::kOutput}) {
    EXPECT_FALSE(place(1, projection).is_ffn);
    EXPECT_LT(place(1, projection), place(1, Projection::kGate));
    EXPECT_LT(place(0, Projection::kDown), place(1, projection));
  }
  for (const Projection projection : {Projection::kGate, Projection::kUp, Projection::kDown})
    EXPECT_TRUE(place(1, projection).is_ffn);
}

}  // namespace
}  // namespace bankai::bfs
