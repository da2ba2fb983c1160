#include <gtest/gtest.h>

#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

TEST(Int8Peak, CountsTheSameForEveryRound) {
  for_each_supported_table([](const KernelTable& table) {
    const std::uint64_t one = table.int8_peak(1);
    EXPECT_GE(one, 1U);
    EXPECT_LE(one, 65536U);  // four products of 16 × 64 with 64 × 16
    EXPECT_EQ(table.int8_peak(0), 0U);
    EXPECT_EQ(table.int8_peak(7), 7 * one);
    EXPECT_EQ(table.int8_peak(1000), 1000 * one);
  });
}

}  // namespace
}  // namespace bankai::kernels
