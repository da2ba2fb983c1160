// What the kernel tests share: walking the tables, random inputs, comparison by bits.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "kernels/kernel_table.h"

namespace bankai::kernels {

// Calls check(table) for each table that this machine can run and reports a failure with its name.
template <typename Check>
void for_each_supported_table(Check check) {
  for (const KernelTable* table : all_kernels()) {
    if (!is_supported(*table)) continue;
    SCOPED_TRACE(std::string("kernel table ") + table->name);
    check(*table);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Draws from a fixed sequence.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : rng_(seed) {}

  std::uint64_t bits() { return rng_.bits(index_++); }
  std::size_t below(std::size_t bound) { return rng_.below(index_++, bound); }
  // In [-limit, limit).
  float symmetric(float limit) {
    return static_cast<float>((2.0 * rng_.uniform(index_++) - 1.0) * static_cast<double>(limit));
  }
  std::int8_t digit() { return static_cast<std::int8_t>(static_cast<int>(below(255)) - 127); }

  std::vector<float> ordinary(std::size_t n) {
    std::vector<float> values(n);
    for (float& value : values) value = symmetric(4.0F);
    return values;
  }
  // Any bit pattern, with zeros, subnormals, extremes, infinities and NaN often among them.
  std::vector<float> awkward(std::size_t n) {
    constexpr float kSpecial[] = {0.0F,
                                  -0.0F,
                                  0x1p-149F,
                                  -0x1.8p-140F,
                                  0x1p-126F,
                                  -0x1p-24F,
                                  1.0F,
                                  -1.0F,
                                  65520.0F,
                                  -65519.0F,
                                  104.5F,
                                  -104.5F,
                                  0x1.fffffep127F,
                                  -0x1.fffffep127F,
                                  std::numeric_limits<float>::infinity(),
                                  -std::numeric_limits<float>::infinity(),
                                  std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> values(n);
    for (float& value : values) {
      const std::uint64_t choice = below(4);
      if (choice == 0)
        value = kSpecial[below(std::size(kSpecial))];
      else if (choice == 1)
        value = std::bit_cast<float>(static_cast<std::uint32_t>(bits()));
      else
        value = symmetric(100.0F);
    }
    return values;
  }

 private:
  CounterRng rng_;
  std::uint64_t index_ = 0;
};

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
inline bool same_bits(std::int8_t a, std::int8_t b) { return a == b; }
// Half precision, as the integer that holds it.
inline bool same_bits(std::uint16_t a, std::uint16_t b) {
  const auto is_nan = [](std::uint16_t half) { return (half & 0x7FFFU) > 0x7C00U; };
  return a == b || (is_nan(a) && is_nan(b));
}

// Fails at the first element that differs (a NaN equals any NaN).
template <typename T>
void expect_same_bits(const std::vector<T>& actual, const std::vector<T>& expected,
                      const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(same_bits(actual[i], expected[i]))
        << what << ": element " << i << " of " << actual.size() << " is " << +actual[i]
        << ", expected " << +expected[i];
}

}  // namespace bankai::kernels
