// add_digit_products: every table against the scalar one bit for bit, with each buffer ending at a
// page without access; and the scalar one against sums of products.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Digits = std::vector<std::int8_t>;
using Floats = std::vector<float>;

struct Problem {
  std::size_t rows, cols, tokens, a_stride, b_cols, out_stride;
  Digits a, b;
  Floats a_scales, b_scales, out;
};

// extreme: all digits are ±127.
Problem make_problem(Draws& draws, std::size_t rows, std::size_t cols, std::size_t tokens,
                     bool extreme = false) {
  const std::size_t quads = (tokens + 3) / 4;
  const std::size_t a_stride = 4 * quads + draws.below(5);
  const std::size_t b_cols = cols + draws.below(5);
  Problem p{rows,
            cols,
            tokens,
            a_stride,
            b_cols,
            cols + draws.below(5),
            Digits(rows == 0 ? 0 : (rows - 1) * a_stride + 4 * quads),
            Digits(quads == 0 ? 0 : ((quads - 1) * b_cols + cols) * 4),
            draws.ordinary(rows),
            draws.ordinary(cols),
            {}};
  const auto digit = [&] {
    const int value = static_cast<int>(draws.below(255)) - 127;
    return static_cast<std::int8_t>(!extreme ? value : value < 0 ? -127 : 127);
  };
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t r = 0; r < rows; ++r) p.a[r * p.a_stride + t] = digit();
    for (std::size_t c = 0; c < cols; ++c) p.b[(t / 4 * p.b_cols + c) * 4 + t % 4] = digit();
  }
  p.out = draws.ordinary(rows == 0 ? 0 : (rows - 1) * p.out_stride + cols);
  return p;
}

Floats add_products(const KernelTable& table, const Problem& p, bool adds = true) {
  const GuardedBuffer<std::int8_t> a(p.a), b(p.b);
  const GuardedBuffer<float> a_scales(p.a_scales), b_scales(p.b_scales);
  GuardedBuffer<float> out(p.out);
  table.add_digit_products(a.data(), p.a_stride, a_scales.data(), p.rows, b.data(), p.b_cols,
                           b_scales.data(), p.cols, p.tokens, adds, out.data(), p.out_stride);
  return out.values();
}

void expect_tables_agree(const Problem& p) {
  const Floats expected = add_products(*all_kernels().front(), p);
  const Floats alone = add_products(*all_kernels().front(), p, false);
  for_each_supported_table([&](const KernelTable& table) {
    expect_same_bits(add_products(table, p, false), alone, "alone");
    expect_same_bits(add_products(table, p), expected,
                     std::to_string(p.rows) + " rows, " + std::to_string(p.cols) + " columns, " +
                         std::to_string(p.tokens) + " tokens");
  });
}

TEST(OuterDigits, scalar_is_the_definition) {
  Draws draws(95);
  const Problem p = make_problem(draws, 7, 32, 13);
  Floats expected = p.out;
  for (std::size_t r = 0; r < p.rows; ++r)
    for (std::size_t c = 0; c < p.cols; ++c) {
      double dot = 0.0;
      for (std::size_t t = 0; t < p.tokens; ++t)
        dot +=
            static_cast<double>(p.a[r * p.a_stride + t]) * p.b[(t / 4 * p.b_cols + c) * 4 + t % 4];
      float& sum = expected[r * p.out_stride + c];
      sum = std::fma(static_cast<float>(dot), p.a_scales[r] * p.b_scales[c], sum);
    }
  expect_same_bits(add_products(*all_kernels().front(), p), expected, "scalar");
  Problem onto_zeros = p;
  for (std::size_t r = 0; r < p.rows; ++r)
    std::fill_n(onto_zeros.out.begin() + static_cast<std::ptrdiff_t>(r * p.out_stride), p.cols,
                0.0F);
  const Floats sums = add_products(*all_kernels().front(), onto_zeros);
  const Floats alone = add_products(*all_kernels().front(), p, false);
  for (std::size_t r = 0; r < p.rows; ++r)
    for (std::size_t c = 0; c < p.cols; ++c)
      EXPECT_EQ(alone[r * p.out_stride + c], sums[r * p.out_stride + c]);
}

TEST(OuterDigits, every_table_gives_the_scalar_bits) {
  Draws draws(96);
  for (std::size_t rows = 0; rows <= 20; ++rows)
    expect_tables_agree(make_problem(draws, rows, 16 * draws.below(7), draws.below(30)));
  for (std::size_t cols = 0; cols <= 256; cols += 16)
    expect_tables_agree(make_problem(draws, 1 + draws.below(14), cols, draws.below(30)));
  for (std::size_t tokens = 0; tokens <= kDigitTokens; ++tokens)
    expect_tables_agree(
        make_problem(draws, 1 + draws.below(14), 16 * (1 + draws.below(6)), tokens));
}

TEST(OuterDigits, the_largest_sums_are_exact) {
  Draws draws(97);
  for (int i = 0; i < 20; ++i) expect_tables_agree(make_problem(draws, 7, 80, 128, true));
  Problem p = make_problem(draws, 6, 64, 128, true);
  for (const int sign : {1, -1}) {
    for (std::int8_t& digit : p.a) digit = static_cast<std::int8_t>(127 * sign);
    for (std::int8_t& digit : p.b) digit = 127;
    expect_tables_agree(p);
  }
}

}  // namespace
}  // namespace bankai::kernels
