#include "bfs/candidate_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace bankai::bfs {
namespace {

TEST(SampleCandidates, are_different_ascending_and_in_range) {
  for (const std::uint64_t count : {0U, 1U, 17U, 99U, 100U}) {
    const auto ids = sample_candidates(1000, 100, count, 7);
    ASSERT_EQ(ids.size(), count);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
    for (const CandidateId id : ids) EXPECT_TRUE(id >= 1000 && id < 1100);
  }
  EXPECT_EQ(sample_candidates(0, 5, 9, 1).size(), 5U) << "all, if there are no more";
}

TEST(SampleCandidates, are_a_function_of_the_seed) {
  EXPECT_EQ(sample_candidates(0, 1000, 20, 3), sample_candidates(0, 1000, 20, 3));
  EXPECT_NE(sample_candidates(0, 1000, 20, 3), sample_candidates(0, 1000, 20, 4));
}

// 5,000 samples of 3 out of 10: every candidate about 1,500 times (standard deviation 32).
TEST(SampleCandidates, are_equally_likely) {
  std::map<CandidateId, int> counts;
  for (std::uint64_t seed = 0; seed < 5000; ++seed)
    for (const CandidateId id : sample_candidates(0, 10, 3, seed)) ++counts[id];
  ASSERT_EQ(counts.size(), 10U);
  for (const auto& [id, count] : counts) EXPECT_NEAR(count, 1500, 160) << id;
}

}  // namespace
}  // namespace bankai::bfs
