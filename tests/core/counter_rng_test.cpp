#include "core/counter_rng.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace bankai {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// From a second implementation (Python integers) whose mixer gives SplitMix64's published first
// outputs for seed 0 (0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f).
TEST(CounterRng, GoldenNumbers) {
  struct Golden {
    std::uint64_t seed, stream, index, bits;
  };
  const Golden golden[] = {
      {0, 0, 0, 0xa7f72697a2731486U},        {0, 0, 1, 0xeb718afea1509cd1U},
      {0, 1, 0, 0xfc2eb95df6efb162U},        {1, 0, 0, 0x672bf35ee2b5923eU},
      {42, 7, 1000000, 0x7b8fcc33205d95caU}, {kMost, kMost, kMost, 0xcc56cdcdc256e448U},
  };
  for (const Golden& g : golden)
    EXPECT_EQ(CounterRng(g.seed, g.stream).bits(g.index), g.bits) << g.seed << " " << g.index;
  EXPECT_EQ(CounterRng(42, 7).uniform(1000000), 0.48266292808727074);
  EXPECT_EQ(CounterRng(42, 7).below(1000000, 1000), 482U);
}

TEST(CounterRng, DependsOnNothingButItsThreeNumbers) {
  const CounterRng first(5, 6);
  const std::uint64_t backwards[] = {first.bits(2), first.bits(1), first.bits(0)};
  const CounterRng second(5, 6);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(second.bits(i), backwards[2 - i]);
}

// Pearson's chi-square over 256 equally likely cells.
double chi_square(const std::array<int, 256>& cells) {
  double total = 0;
  for (const int count : cells) total += count;
  const double expected = total / 256;
  double sum = 0;
  for (const int count : cells) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(CounterRng, EveryByteIsUniform) {
  for (const std::uint64_t seed : {0U, 1U, 42U}) {
    const CounterRng rng(seed);
    for (unsigned byte = 0; byte < 8; ++byte) {
      std::array<int, 256> cells{};
      for (std::uint64_t i = 0; i < 65536; ++i) ++cells[(rng.bits(i) >> (8 * byte)) & 0xffU];
      // 255 degrees of freedom: mean 255, standard deviation 22.6; five of them either way.
      EXPECT_NEAR(chi_square(cells), 255.0, 113.0) << "seed " << seed << " byte " << byte;
    }
  }
}

// The mean number of output bits that change with one bit of the input: 32 for a good mixer.
template <typename Bits>
double mean_change(const Bits& bits) {
  int changed = 0;
  for (unsigned bit = 0; bit < 64; ++bit)
    for (std::uint64_t i = 0; i < 256; ++i)
      changed += std::popcount(bits(i) ^ bits(i ^ (std::uint64_t{1} << bit)));
  return changed / (64.0 * 256.0);
}

TEST(CounterRng, OneBitOfAnyInputChangesHalfTheOutput) {
  EXPECT_NEAR(mean_change([](std::uint64_t x) { return CounterRng(x, 0).bits(0); }), 32.0, 0.3);
  EXPECT_NEAR(mean_change([](std::uint64_t x) { return CounterRng(0, x).bits(0); }), 32.0, 0.3);
  EXPECT_NEAR(mean_change([](std::uint64_t x) { return CounterRng(0, 0).bits(x); }), 32.0, 0.3);
}

TEST(CounterRng, StreamsDoNotRunBesideEachOther) {
  const CounterRng a(7, 0);
  const CounterRng b(7, 1);
  double covariance = 0;
  constexpr std::uint64_t kDraws = 100000;
  for (std::uint64_t i = 0; i < kDraws; ++i)
    covariance += (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5);
  // The mean of independent products has standard deviation 1/12/sqrt(n); five of them.
  EXPECT_LT(std::abs(covariance / kDraws), 5.0 / 12.0 / std::sqrt(double{kDraws}));
}

TEST(CounterRng, UniformStaysBelowOne) {
  const CounterRng rng(3);
  double sum = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const double value = rng.uniform(i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(CounterRng, BelowKeepsItsBound) {
  const CounterRng rng(9);
  std::array<int, 10> cells{};
  for (std::uint64_t i = 0; i < 10000; ++i) {
    EXPECT_EQ(rng.below(i, 1), 0U);
    EXPECT_LT(rng.below(i, kMost), kMost);
    const std::uint64_t value = rng.below(i, 10);
    ASSERT_LT(value, 10U);
    ++cells[value];
  }
  for (const int count : cells) EXPECT_NEAR(count, 1000, 150);  // five standard deviations
}

}  // namespace
}  // namespace bankai
