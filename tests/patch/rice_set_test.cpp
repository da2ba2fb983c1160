#include "patch/rice_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/counter_rng.h"

namespace bankai::patch {
namespace {

using Numbers = std::vector<std::uint64_t>;

Numbers random_numbers(std::uint64_t limit, std::size_t count, std::uint64_t seed) {
  std::set<std::uint64_t> numbers;
  const CounterRng rng(seed);
  for (std::uint64_t i = 0; numbers.size() < count; ++i) numbers.insert(rng.below(i, limit));
  return {numbers.begin(), numbers.end()};
}

void expect_round_trip(const Numbers& numbers, std::uint64_t limit) {
  BitWriter writer;
  write_set(numbers, writer);
  EXPECT_EQ(writer.bytes().size(), (set_size_bits(numbers) + 7) / 8);
  BitReader reader(writer.bytes());
  const Result<Numbers> again = read_set(reader, numbers.size(), limit, "numbers");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(*again, numbers);
  EXPECT_LT(reader.remaining_bits(), 8U);
}

TEST(RiceSet, EverySubsetOfASmallRange) {
  for (unsigned mask = 0; mask < 1U << 12U; ++mask) {
    Numbers numbers;
    for (unsigned i = 0; i < 12; ++i)
      if (((mask >> i) & 1U) != 0) numbers.push_back(i);
    expect_round_trip(numbers, 12);
  }
}

TEST(RiceSet, LargeNumbers) {
  for (const std::uint64_t limit :
       {std::uint64_t{1} << 20U, std::uint64_t{1} << 40U, (std::uint64_t{1} << 63U) - 1})
    for (std::size_t count = 1; count < 200; count = count * 3 + 1)
      expect_round_trip(random_numbers(limit, count, count), limit);
  expect_round_trip({(std::uint64_t{1} << 63U) - 1}, std::uint64_t{1} << 63U);
  expect_round_trip({0, (std::uint64_t{1} << 63U) - 1}, std::uint64_t{1} << 63U);
}

// Clustered and even sets alike: no other shift would have given fewer bits.
TEST(RiceSet, TakesTheBestOfAllShifts) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const CounterRng rng(seed, 1);
    const std::uint64_t limit = 2 + rng.below(0, std::uint64_t{1} << (1 + seed % 40));
    const std::size_t count = 1 + rng.below(1, std::min<std::uint64_t>(limit / 2, 60));
    Numbers numbers = random_numbers(limit, count, seed);
    if (seed % 3 == 0)  // a cluster at the start and one number far away
      for (std::size_t i = 0; i + 1 < numbers.size(); ++i) numbers[i] = i;
    std::uint64_t best = ~std::uint64_t{0};
    for (unsigned shift = 0; shift < 64; ++shift) {
      std::uint64_t bits = 6;
      std::uint64_t next = 0;
      for (const std::uint64_t number : numbers) {
        bits += ((number - next) >> shift) + 1 + shift;
        next = number + 1;
      }
      best = std::min(best, bits);
    }
    EXPECT_EQ(set_size_bits(numbers), best) << "seed " << seed;
  }
}

TEST(RiceSet, RefusesCutAndFullStreams) {
  const Numbers numbers = random_numbers(5000, 40, 3);
  BitWriter writer;
  write_set(numbers, writer);
  for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
    BitReader reader(std::span(writer.bytes()).first(size));
    EXPECT_FALSE(read_set(reader, numbers.size(), 5000, "numbers").ok());
  }
  BitReader too_small(writer.bytes());
  EXPECT_FALSE(read_set(too_small, numbers.size(), numbers.back(), "numbers").ok());
  BitReader too_many(writer.bytes());
  EXPECT_FALSE(read_set(too_many, std::uint64_t{1} << 60U, 5000, "numbers").ok());
}

TEST(RiceSet, RefusesGapsBeyondTheLimitWithoutOverflow) {
  BitWriter writer;
  writer.write(63, 6);
  writer.write_unary(1);
  writer.write(~std::uint64_t{0}, 63);
  BitReader reader(writer.bytes());
  EXPECT_FALSE(read_set(reader, 1, std::uint64_t{1} << 62U, "numbers").ok());
}

}  // namespace
}  // namespace bankai::patch
