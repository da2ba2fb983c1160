#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

struct Quantized {
  std::vector<std::int8_t> high;
  std::vector<std::int8_t> low;  // empty for a8
  std::vector<float> scales;
};

Quantized quantize(const KernelTable& table, const std::vector<float>& x, bool a16) {
  GuardedBuffer<float> in(x);
  GuardedBuffer<std::int8_t> high(x.size());
  GuardedBuffer<std::int8_t> low(a16 ? x.size() : 0);
  GuardedBuffer<float> scales(x.size() / 128);
  if (a16)
    table.quantize_a16(in.data(), x.size(), high.data(), low.data(), scales.data());
  else
    table.quantize_a8(in.data(), x.size(), high.data(), scales.data());
  return {high.values(), low.values(), scales.values()};
}

int value_of(const Quantized& q, std::size_t i) {
  return q.low.empty() ? q.high[i] : 255 * q.high[i] + q.low[i];
}

// Groups of every kind: ordinary, tiny, huge, with an infinity, with a NaN, zeros.
std::vector<float> mixed_groups(Draws& draws, std::size_t groups) {
  constexpr float kLimits[] = {4.0F, 0x1p-99F, 0x1p-101F, 0x1p127F, 0x1p-149F, 1e-3F, 300.0F};
  std::vector<float> x;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t kind = draws.below(std::size(kLimits) + 3);
    for (std::size_t j = 0; j < 128; ++j)
      x.push_back(kind < std::size(kLimits) ? draws.symmetric(kLimits[kind]) : 0.0F);
    float& one = x[x.size() - 1 - draws.below(128)];
    if (kind == std::size(kLimits)) one = std::numeric_limits<float>::infinity();
    if (kind == std::size(kLimits) + 1) one = -std::numeric_limits<float>::quiet_NaN();
  }
  return x;
}

TEST(Quantize, EveryTableGivesTheScalarBits) {
  Draws draws(11);
  for (std::size_t groups = 0; groups <= 9; ++groups) {
    for (int round = 0; round < 20; ++round) {
      const std::vector<float> x =
          round == 0 ? draws.awkward(128 * groups) : mixed_groups(draws, groups);
      for (const bool a16 : {false, true}) {
        const Quantized expected = quantize(*all_kernels().front(), x, a16);
        for_each_supported_table([&](const KernelTable& table) {
          const Quantized actual = quantize(table, x, a16);
          expect_same_bits(actual.high, expected.high, "high");
          expect_same_bits(actual.low, expected.low, "low");
          expect_same_bits(actual.scales, expected.scales, "scales");
        });
      }
    }
  }
}

// The definition of kernel_table.h, evaluated here in other words.
TEST(Quantize, FollowsItsDefinition) {
  Draws draws(12);
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> x = mixed_groups(draws, 1);
    float magnitude = 0.0F;
    bool finite = true;
    for (float value : x) {
      finite = finite && std::isfinite(value);
      magnitude = std::max(magnitude, std::fabs(value));
    }
    for (const bool a16 : {false, true}) {
      const Quantized q = quantize(*all_kernels().front(), x, a16);
      const float largest_digit = a16 ? 32512.0F : 127.0F;
      if (!finite || magnitude < 0x1p-100F) {
        EXPECT_TRUE(finite ? q.scales[0] == 0.0F : std::isnan(q.scales[0]));
        for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(value_of(q, i), 0);
        continue;
      }
      EXPECT_EQ(q.scales[0], magnitude / largest_digit);
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_GE(q.high[i], -127);
        if (a16) {
          ASSERT_GE(q.low[i], -127);
        }
        const float scaled = x[i] * (largest_digit / magnitude);
        ASSERT_EQ(value_of(q, i), static_cast<int>(std::rint(scaled)));
        const double error =
            static_cast<double>(x[i]) - static_cast<double>(q.scales[0]) * value_of(q, i);
        ASSERT_LE(std::fabs(error), static_cast<double>(q.scales[0]) * 0.51);
      }
    }
  }
}

TEST(Quantize, EveryA16ValueHasBalancedDigits) {
  // One group holds the largest value and 127 others: 0 … 32512 in 256 groups.
  for (int first = 0; first <= 32512; first += 127) {
    std::vector<float> x(128);
    for (int j = 0; j < 127; ++j)
      x[static_cast<std::size_t>(j)] = static_cast<float>(std::min(first + j, 32512));
    x[127] = 32512.0F;
    const Quantized q = quantize(*all_kernels().front(), x, true);
    ASSERT_EQ(q.scales[0], 1.0F);
    for (std::size_t i = 0; i < 128; ++i) {
      ASSERT_EQ(value_of(q, i), static_cast<int>(x[i]));
      ASSERT_GE(q.low[i], -127);
    }
  }
}

TEST(Quantize, NegationNegatesEveryDigit) {
  Draws draws(13);
  for_each_supported_table([&](const KernelTable& table) {
    for (int round = 0; round < 20; ++round) {
      const std::vector<float> x = mixed_groups(draws, 4);
      std::vector<float> minus_x = x;
      for (float& value : minus_x) value = -value;
      const Quantized q = quantize(table, x, true);
      const Quantized minus_q = quantize(table, minus_x, true);
      expect_same_bits(minus_q.scales, q.scales, "scales");
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(minus_q.high[i], -q.high[i]);
        ASSERT_EQ(minus_q.low[i], -q.low[i]);
      }
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
