#include "core/clock.h"

#include <gtest/gtest.h>

namespace bankai {
namespace {

TEST(Stopwatch, NeverRunsBackwards) {
  const Stopwatch watch;
  double last = watch.seconds();
  EXPECT_GE(last, 0.0);
  for (int i = 0; i < 1000; ++i) {
    const double now = watch.seconds();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_LT(last, 60.0);  // seconds, not milliseconds or ticks
}

TEST(Stopwatch, Moves) {
  const Stopwatch watch;
  while (watch.seconds() < 1e-4) {
  }
  EXPECT_GE(watch.seconds(), 1e-4);
}

}  // namespace
}  // namespace bankai
