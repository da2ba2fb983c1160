// accumulate_outer: every table against the scalar one bit for bit, with each buffer ending at a
// page without access; and the scalar one against the definition.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Floats = std::vector<float>;

struct Problem {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t tokens = 0;
  std::size_t a_stride = 0;
  std::size_t b_stride = 0;
  std::size_t out_stride = 0;
  Floats a;
  Floats b;
  Floats out;  // what the products are added to; its gaps must stay

  std::string text() const {
    return std::to_string(rows) + " rows, " + std::to_string(cols) + " columns, " +
           std::to_string(tokens) + " tokens";
  }
};

// n rows of `stride` elements of which the last one ends after `width`.
std::size_t extent(std::size_t n, std::size_t stride, std::size_t width) {
  return n == 0 ? 0 : (n - 1) * stride + width;
}

Problem make_problem(Draws& draws, std::size_t rows, std::size_t cols, std::size_t tokens,
                     bool awkward = false) {
  Problem p{.rows = rows,
            .cols = cols,
            .tokens = tokens,
            .a_stride = rows + draws.below(5),
            .b_stride = cols + draws.below(5),
            .out_stride = cols + draws.below(5),
            .a = {},
            .b = {},
            .out = {}};
  const auto draw = [&](std::size_t n) { return awkward ? draws.awkward(n) : draws.ordinary(n); };
  p.a = draw(extent(tokens, p.a_stride, rows));
  p.b = draw(extent(tokens, p.b_stride, cols));
  p.out = draw(extent(rows, p.out_stride, cols));
  return p;
}

// Adds tokens [first, first + count) to `out`.
Floats accumulate(const KernelTable& table, const Problem& p, std::size_t first, std::size_t count,
                  const Floats& onto) {
  const GuardedBuffer<float> a(p.a);
  const GuardedBuffer<float> b(p.b);
  GuardedBuffer<float> out(onto);
  table.accumulate_outer(a.data() + first * p.a_stride, p.a_stride, p.rows,
                         b.data() + first * p.b_stride, p.b_stride, p.cols, count, out.data(),
                         p.out_stride);
  return out.values();
}

void expect_tables_agree(const Problem& p) {
  const KernelTable& scalar = *all_kernels().front();
  const Floats expected = accumulate(scalar, p, 0, p.tokens, p.out);
  for_each_supported_table([&](const KernelTable& table) {
    if (&table == &scalar) return;
    expect_same_bits(accumulate(table, p, 0, p.tokens, p.out), expected, p.text());
  });
}

TEST(Outer, ScalarIsTheDefinition) {
  Draws draws(91);
  const Problem p = make_problem(draws, 7, 19, 12);
  Floats expected = p.out;
  for (std::size_t r = 0; r < p.rows; ++r)
    for (std::size_t c = 0; c < p.cols; ++c)
      for (std::size_t t = 0; t < p.tokens; ++t) {
        float& sum = expected[r * p.out_stride + c];
        sum = std::fma(p.a[t * p.a_stride + r], p.b[t * p.b_stride + c], sum);
      }
  expect_same_bits(accumulate(*all_kernels().front(), p, 0, p.tokens, p.out), expected, "scalar");
}

TEST(Outer, EveryTableGivesTheScalarBits) {
  Draws draws(92);
  for (const bool awkward : {false, true}) {
    for (std::size_t rows = 0; rows <= 20; ++rows)
      expect_tables_agree(make_problem(draws, rows, draws.below(90), draws.below(20), awkward));
    for (std::size_t cols = 0; cols <= 70; ++cols)
      expect_tables_agree(make_problem(draws, 1 + draws.below(14), cols, draws.below(20), awkward));
    for (std::size_t tokens = 0; tokens <= 40; ++tokens)
      expect_tables_agree(
          make_problem(draws, 1 + draws.below(14), 1 + draws.below(70), tokens, awkward));
  }
}

// Around the edges of the blocks in which tables work.
TEST(Outer, EveryTableGivesTheScalarBitsAcrossBlocks) {
  Draws draws(93);
  for (const std::size_t rows : {95U, 96U, 97U, 193U})
    expect_tables_agree(make_problem(draws, rows, 33, 5));
  for (const std::size_t cols : {255U, 256U, 257U, 530U})
    expect_tables_agree(make_problem(draws, 7, cols, 5));
  for (const std::size_t tokens : {127U, 128U, 129U, 257U, 300U, 400U})
    expect_tables_agree(make_problem(draws, 7, 40, tokens));
  expect_tables_agree(make_problem(draws, 101, 270, 131));
}

TEST(Outer, TokensMayBeAddedInSeveralCalls) {
  Draws draws(94);
  const Problem p = make_problem(draws, 13, 50, 150);
  for_each_supported_table([&](const KernelTable& table) {
    const Floats all = accumulate(table, p, 0, p.tokens, p.out);
    for (const std::size_t first : {0U, 1U, 14U, 128U, 150U})
      expect_same_bits(
          accumulate(table, p, first, p.tokens - first, accumulate(table, p, 0, first, p.out)), all,
          std::to_string(first) + " tokens first");
  });
}

}  // namespace
}  // namespace bankai::kernels
