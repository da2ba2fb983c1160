#include "core/check.h"

#include <gtest/gtest.h>

namespace bankai {
namespace {

TEST(CheckDeathTest, SaysWhatWhyAndWhere) {
  const int rows = 3;
  EXPECT_DEATH(BANKAI_CHECK(rows == 4, "four rows are needed"),
               "four rows are needed \\(rows == 4\\) at .*check_test.cpp:[0-9]+");
}

TEST(Check, PassesInSilenceAndEvaluatesOnce) {
  int calls = 0;
  BANKAI_CHECK(++calls == 1, "");
  EXPECT_EQ(calls, 1);
}

TEST(Check, IsOneStatement) {
  bool other = false;
  if (other)
    BANKAI_CHECK(false, "not reached");
  else
    other = true;
  EXPECT_TRUE(other);
}

}  // namespace
}  // namespace bankai
