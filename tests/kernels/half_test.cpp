#include "kernels/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

// The value by its definition.
double half_value(unsigned int half) {
  const int exponent = static_cast<int>((half >> 10U) & 0x1FU);
  const double mantissa = static_cast<double>(half & 0x3FFU);
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024.0 + mantissa, exponent - 25);
  return (half & 0x8000U) != 0 ? -magnitude : magnitude;
}

bool is_finite_half(unsigned int half) { return (half & 0x7C00U) != 0x7C00U; }

TEST(Half, WidensEveryHalfExactly) {
  for (unsigned int half = 0; half < 0x10000U; ++half) {
    const float value = f16_to_float(static_cast<std::uint16_t>(half));
    if (is_finite_half(half)) {
      ASSERT_EQ(static_cast<double>(value), half_value(half)) << half;
      ASSERT_EQ(std::signbit(value), (half & 0x8000U) != 0) << half;
    } else if ((half & 0x3FFU) == 0) {
      ASSERT_TRUE(std::isinf(value)) << half;
      ASSERT_EQ(value > 0.0F, half == 0x7C00U);
    } else {
      ASSERT_TRUE(std::isnan(value)) << half;
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (unsigned int half = 0; half < 0x7C00U; ++half) {
    const float value = f16_to_float(static_cast<std::uint16_t>(half));
    ASSERT_EQ(float_to_f16(value), half);
    ASSERT_EQ(float_to_f16(-value), half | 0x8000U);
    // The next half (2^16, where infinity begins, after the last) and the middle between the two.
    const double next = half == 0x7BFFU ? 65536.0 : half_value(half + 1);
    const float middle = static_cast<float>((half_value(half) + next) / 2);
    const unsigned int even = half % 2 == 0 ? half : half + 1;
    ASSERT_EQ(float_to_f16(middle), even) << middle;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 0.0F)), half) << middle;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 1e9F)), half + 1) << middle;
    ASSERT_EQ(float_to_f16(-middle), even | 0x8000U) << middle;
  }
  EXPECT_EQ(float_to_f16(1e30F), 0x7C00U);
  EXPECT_EQ(float_to_f16(-std::numeric_limits<float>::infinity()), 0xFC00U);
  EXPECT_EQ(float_to_f16(0x1p-149F), 0U);
  EXPECT_GT(float_to_f16(std::numeric_limits<float>::quiet_NaN()) & 0x7FFFU, 0x7C00U);
}

TEST(Half, TablesAgreeOnEveryHalf) {
  std::vector<std::uint16_t> halves(0x10000);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  for_each_supported_table([&](const KernelTable& table) {
    std::vector<float> wide(halves.size());
    table.f16_to_f32(halves.data(), wide.data(), halves.size());
    for (std::size_t i = 0; i < halves.size(); ++i)
      ASSERT_TRUE(same_bits(wide[i], f16_to_float(halves[i]))) << i;
    std::vector<std::uint16_t> narrow(halves.size());
    table.f32_to_f16(wide.data(), narrow.data(), wide.size());
    expect_same_bits(narrow, halves, "there and back");
  });
}

TEST(Half, Bfloat16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(bf16_to_float(0x3F80), 1.0F);
  EXPECT_EQ(bf16_to_float(0xC020), -2.5F);
  EXPECT_TRUE(std::isinf(bf16_to_float(0x7F80)));
}

}  // namespace
}  // namespace bankai::kernels
