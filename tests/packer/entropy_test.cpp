#include "packer/entropy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace bankai::packer {
namespace {

TEST(Entropy, UniformSymbolsTakeLogTwoOfTheirNumber) {
  const std::array<std::uint64_t, 4> counts = {25, 25, 25, 25};
  EXPECT_NEAR(entropy_bits(counts), 200.0, 1e-10);
  const std::array<std::uint64_t, 3> trits = {1000, 1000, 1000};
  EXPECT_NEAR(entropy_bits(trits), 3000.0 * std::log2(3.0), 1e-9);
}

TEST(Entropy, CertainSymbolsTakeNothing) {
  const std::array<std::uint64_t, 3> counts = {0, 12345, 0};
  EXPECT_EQ(entropy_bits(counts), 0.0);
  EXPECT_EQ(entropy_bits({}), 0.0);
}

TEST(Entropy, TritsWithAZeroFractionFollowTheirFormula) {
  // With a fraction z of zeros and equal signs a trit takes H(z) + (1 - z) bits.
  const std::array<std::uint64_t, 3> counts = {315, 370, 315};
  const double z = 0.37;
  const double h = -z * std::log2(z) - (1.0 - z) * std::log2(1.0 - z);
  EXPECT_NEAR(entropy_bits(counts) / 1000.0, h + (1.0 - z), 1e-12);
}

TEST(Entropy, BytesAreCountedEach) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 512; ++i) bytes.push_back(static_cast<std::byte>(i % 256));
  EXPECT_NEAR(byte_entropy_bits(bytes), 512.0 * 8.0, 1e-9);
}

}  // namespace
}  // namespace bankai::packer
