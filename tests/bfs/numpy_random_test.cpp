#include "bfs/numpy_random.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace bankai::bfs {
namespace {

// numpy.random.default_rng(seed).random(): what NumPy prints, to all digits or to eight.
struct Published {
  std::uint64_t seed;
  std::vector<double> values;
  double tolerance;
};

const std::array<Published, 3> kPublished = {{
    {42,
     {0.7739560485559633, 0.4388784397520523, 0.8585979199113825, 0.6973680290593639,
      0.09417734788764953},
     0.0},
    {0, {0.63696169, 0.26978671, 0.04097352, 0.01652764, 0.81327024}, 0.5e-8},
    {12345, {0.22733602, 0.31675834, 0.79736546}, 0.5e-8},
}};

TEST(NumpyRandom, gives_what_numpy_gives) {
  for (const Published& published : kPublished) {
    NumpyRandom random(published.seed);
    for (const double value : published.values)
      EXPECT_NEAR(random.next_uniform(), value, published.tolerance) << published.seed;
  }
}

TEST(NumpyRandom, depends_on_every_bit_of_the_seed) {
  std::vector<std::uint64_t> firsts{NumpyRandom(7).next_bits()};
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t first = NumpyRandom(7U ^ (std::uint64_t{1} << bit)).next_bits();
    for (const std::uint64_t other : firsts) EXPECT_NE(first, other);
    firsts.push_back(first);
  }
}

TEST(NumpyRandom, uniforms_fill_the_unit_interval_evenly) {
  NumpyRandom random(1);
  constexpr int kDraws = 100000;
  std::array<int, 10> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.next_uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ++counts[static_cast<std::size_t>(value * 10.0)];
  }
  // Six standard deviations of a binomial count.
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 10, 570);
}

}  // namespace
}  // namespace bankai::bfs
