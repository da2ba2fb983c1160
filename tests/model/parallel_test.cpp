#include "model/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace bankai::model {
namespace {

// How often each index was visited by a loop over `count`.
std::vector<int> visits(int threads, std::size_t count) {
  std::vector<std::atomic<int>> seen(count);
  parallel_for(threads, count, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) ++seen[i];
  });
  return {seen.begin(), seen.end()};
}

TEST(Parallel, VisitsEveryIndexOnce) {
  for (const int threads : {-1, 0, 1, 2, 3, 7})
    for (const std::size_t count : {0U, 1U, 2U, 5U, 100U})
      EXPECT_EQ(visits(threads, count), std::vector<int>(count, 1)) << threads << ", " << count;
}

TEST(Parallel, WithThreadsAtHandToo) {
  for (const int at_hand : {1, 2, 3, 5}) {
    with_threads_at_hand(at_hand, [&] {
      for (int round = 0; round < 200; ++round)  // more and fewer parts than there are threads
        for (const int threads : {1, 2, 4, 3})
          ASSERT_EQ(visits(threads, 10), std::vector<int>(10, 1));
    });
  }
}

TEST(Parallel, LoopsInLoopsRunToTheirEnd) {
  std::atomic<int> sum{0};
  with_threads_at_hand(3, [&] {
    with_threads_at_hand(2, [&] {
      parallel_for(3, 3, [&](IndexRange) {
        parallel_for(2, 4, [&](IndexRange range) { sum += static_cast<int>(range.size()); });
      });
    });
  });
  EXPECT_EQ(sum, 12);
}

TEST(Parallel, AnExceptionReachesTheCaller) {
  const auto fail = [](IndexRange range) {
    if (range.begin > 0) throw std::runtime_error("part");
  };
  EXPECT_THROW(parallel_for(2, 2, fail), std::runtime_error);
  EXPECT_THROW(with_threads_at_hand(2, [&] { parallel_for(2, 2, fail); }), std::runtime_error);
  EXPECT_THROW(with_threads_at_hand(2, [] { throw std::runtime_error("body"); }),
               std::runtime_error);
  EXPECT_EQ(visits(2, 6), std::vector<int>(6, 1)) << "and all goes on";
}

}  // namespace
}  // namespace bankai::model
