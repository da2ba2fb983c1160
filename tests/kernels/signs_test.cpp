// dot_signs and add_signs: every table against plain sums, with each buffer ending at a page
// without access.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Words = std::vector<std::int16_t>;

struct Problem {
  std::size_t n = 0;
  std::size_t stride = 0;
  std::int16_t limit = 0;
  Words weights;
  Words inputs;  // the rows at `stride`, the last one with nothing behind it
  Words steps;
};

// extreme: all weights and steps are as large as they may be, of either sign.
Problem make_problem(Draws& draws, std::size_t n, bool extreme) {
  Problem p;
  p.n = n;
  p.stride = n + draws.below(40);
  p.limit = 24000;
  const auto within = [&](int most) {
    const int value = static_cast<int>(draws.below(2 * static_cast<std::size_t>(most) + 1)) - most;
    return static_cast<std::int16_t>(!extreme ? value : value < 0 ? -most : most);
  };
  for (std::size_t i = 0; i < n; ++i) p.weights.push_back(within(24000));
  p.inputs.resize((kSignRows - 1) * p.stride + n);
  for (std::int16_t& input : p.inputs)
    input = static_cast<std::int16_t>(static_cast<int>(draws.below(3)) - 1);
  for (std::size_t t = 0; t < kSignRows; ++t) p.steps.push_back(within(1095));
  return p;
}

void expect_plain_sums(const KernelTable& table, const Problem& p) {
  GuardedBuffer<std::int16_t> weights(p.weights);
  const GuardedBuffer<std::int16_t> inputs(p.inputs), steps(p.steps);
  GuardedBuffer<std::int32_t> sums(kSignRows);
  table.dot_signs(weights.data(), inputs.data(), p.stride, p.n, sums.data());
  for (std::size_t t = 0; t < kSignRows; ++t) {
    std::int32_t expected = 0;
    for (std::size_t i = 0; i < p.n; ++i) expected += p.weights[i] * p.inputs[t * p.stride + i];
    ASSERT_EQ(sums.values()[t], expected) << "n = " << p.n << ", row " << t;
  }
  table.add_signs(steps.data(), inputs.data(), p.stride, p.n, p.limit, weights.data());
  const Words learned = weights.values();
  for (std::size_t i = 0; i < p.n; ++i) {
    int expected = p.weights[i];
    for (std::size_t t = 0; t < kSignRows; ++t) expected += p.steps[t] * p.inputs[t * p.stride + i];
    ASSERT_EQ(learned[i], std::clamp<int>(expected, -p.limit, p.limit))
        << "n = " << p.n << ", weight " << i;
  }
}

TEST(Signs, EveryTableGivesPlainSums) {
  Draws draws(1);
  for (std::size_t n = 0; n <= 10 * kSignStep; n += kSignStep)
    for (const bool extreme : {false, true}) {
      const Problem p = make_problem(draws, n, extreme);
      for_each_supported_table([&](const KernelTable& table) { expect_plain_sums(table, p); });
      if (HasFatalFailure()) return;
    }
}

// Sums of the greatest length and size fit.
TEST(Signs, TheLargestSumsFit) {
  constexpr std::size_t kMost = 1 << 15;
  Draws draws(2);
  Problem p = make_problem(draws, kMost, true);
  std::fill(p.weights.begin(), p.weights.end(), std::int16_t{-24000});
  std::fill(p.inputs.begin(), p.inputs.end(), std::int16_t{1});
  for_each_supported_table([&](const KernelTable& table) { expect_plain_sums(table, p); });
}

}  // namespace
}  // namespace bankai::kernels
