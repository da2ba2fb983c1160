#include "core/partition.h"

#include <gtest/gtest.h>

namespace bankai {
namespace {

// Exhaustive for small numbers: the parts tile [0, count), differ by at most one, larger first.
TEST(PartOf, TilesTheRange) {
  for (std::size_t count = 0; count <= 40; ++count) {
    for (std::size_t parts = 1; parts <= 45; ++parts) {
      std::size_t next = 0;
      std::size_t previous_size = count;
      for (std::size_t index = 0; index < parts; ++index) {
        const IndexRange range = part_of(count, parts, index);
        ASSERT_EQ(range.begin, next);
        ASSERT_LE(range.size(), previous_size);
        ASSERT_LE(part_of(count, parts, 0).size() - range.size(), 1U);
        previous_size = range.size();
        next = range.end;
      }
      ASSERT_EQ(next, count);
    }
  }
}

TEST(PartOf, DoesNotOverflow) {
  const std::size_t most = ~std::size_t{0};
  EXPECT_EQ(part_of(most, 3, 2).end, most);
  EXPECT_EQ(part_of(most, most, most - 1).size(), 1U);
}

TEST(PartOfDeathTest, RefusesPartsThatAreNotThere) {
  EXPECT_DEATH(part_of(4, 2, 2), "no such part");
  EXPECT_DEATH(part_of(4, 0, 0), "no such part");
}

}  // namespace
}  // namespace bankai
