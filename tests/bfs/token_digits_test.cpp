#include "bfs/token_digits.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"

namespace bankai::bfs {
namespace {

// Sums of outer products of digits are near those of the values, for spans of any length.
TEST(TokenDigits, make_outer_products) {
  constexpr std::size_t kRows = 40, kCols = 48, kTokens = 300;
  const CounterRng rng(3);
  std::vector<float> gradient(kTokens * kRows), input(kTokens * kCols);
  std::uint64_t draw = 0;
  for (std::vector<float>* values : {&gradient, &input})
    for (float& value : *values) value = static_cast<float>(rng.uniform(draw++) - 0.5);
  const std::vector<IndexRange> first = {{0, 1}, {1, 8}, {8, 136}};
  const std::vector<IndexRange> second = {{136, 264}, {264, 300}};
  for (const kernels::KernelTable* table : kernels::all_kernels()) {
    if (!kernels::is_supported(*table)) continue;
    for (const int threads : {1, 3}) {
      TokenDigits a(kRows, DigitOrder::kRows), b(kCols, DigitOrder::kColumns);
      for (const auto& spans : {first, second}) {
        a.add(*table, threads, gradient.data(), spans);
        b.add(*table, threads, input.data(), spans);
      }
      std::vector<float> sums(kRows * kCols);
      for (std::size_t span = 0; span < 5; ++span) {
        EXPECT_EQ(a.stride(span) % 4, 0U);
        table->add_digit_products(a.digits(span), a.stride(span), a.scales(span), kRows,
                                  b.digits(span), kCols, b.scales(span), kCols, a.stride(span),
                                  span > 0, sums.data(), kCols);
      }
      double difference = 0.0, squares = 0.0;
      for (std::size_t r = 0; r < kRows; ++r)
        for (std::size_t c = 0; c < kCols; ++c) {
          double sum = 0.0;
          for (std::size_t t = 0; t < kTokens; ++t)
            sum += static_cast<double>(gradient[t * kRows + r]) *
                   static_cast<double>(input[t * kCols + c]);
          difference += std::pow(sum - static_cast<double>(sums[r * kCols + c]), 2);
          squares += sum * sum;
        }
      EXPECT_LT(std::sqrt(difference), 0.01 * std::sqrt(squares)) << table->name;
    }
  }
}

TEST(TokenDigits, are_gone_when_cleared) {
  TokenDigits digits(32, DigitOrder::kRows);
  const std::vector<float> ones(32 * 5, 1.0F), twos(32 * 5, 2.0F);
  const IndexRange span{0, 5};
  const kernels::KernelTable& table = *kernels::all_kernels().front();
  digits.add(table, 1, ones.data(), {&span, 1});
  digits.clear();
  digits.add(table, 1, twos.data(), {&span, 1});
  EXPECT_EQ(digits.stride(0), 8U);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_FLOAT_EQ(digits.scales(0)[i], 2.0F / 127.0F);
    for (std::size_t t = 0; t < 8; ++t) EXPECT_EQ(digits.digits(0)[i * 8 + t], t < 5 ? 127 : 0);
  }
}

}  // namespace
}  // namespace bankai::bfs
