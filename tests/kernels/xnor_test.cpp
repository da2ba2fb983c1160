// Products of bits with bits: every table against sums of ±1 written here.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

struct Problem {
  std::size_t rows;
  std::size_t tokens;
  std::size_t cols;
  std::size_t out_stride;
  std::vector<std::uint64_t> weights;
  std::vector<std::uint64_t> activations;

  std::size_t words() const { return (cols + 63) / 64; }
  std::vector<std::uint64_t> panels() const {
    std::vector<std::uint64_t> packed(bit_panels_words(rows, cols));
    pack_bit_panels(weights.data(), rows, cols, packed.data());
    return packed;
  }
  std::string text() const {
    return std::to_string(rows) + " rows, " + std::to_string(tokens) + " tokens, " +
           std::to_string(cols) + " columns";
  }
};

std::vector<std::uint64_t> random_bits(Draws& draws, std::size_t rows, std::size_t cols) {
  const std::size_t words = (cols + 63) / 64;
  std::vector<std::uint64_t> bits(rows * words);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = draws.bits();
    if (cols % 64 != 0 && i % words == words - 1) bits[i] &= (std::uint64_t{1} << cols % 64) - 1;
  }
  return bits;
}

Problem make_problem(Draws& draws, std::size_t rows, std::size_t tokens, std::size_t cols) {
  return {.rows = rows,
          .tokens = tokens,
          .cols = cols,
          .out_stride = rows + draws.below(4),
          .weights = random_bits(draws, rows, cols),
          .activations = random_bits(draws, tokens, cols)};
}

int sign(const std::vector<std::uint64_t>& bits, std::size_t words, std::size_t row,
         std::size_t col) {
  return (bits[row * words + col / 64] >> col % 64 & 1) != 0 ? 1 : -1;
}

constexpr std::int32_t kUntouched = -123456789;

std::vector<std::int32_t> plain_products(const Problem& p) {
  std::vector<std::int32_t> out(
      p.tokens == 0 || p.rows == 0 ? 0 : (p.tokens - 1) * p.out_stride + p.rows, kUntouched);
  for (std::size_t t = 0; t < p.tokens; ++t)
    for (std::size_t row = 0; row < p.rows; ++row) {
      std::int32_t dot = 0;
      for (std::size_t col = 0; col < p.cols; ++col)
        dot += sign(p.weights, p.words(), row, col) * sign(p.activations, p.words(), t, col);
      out[t * p.out_stride + row] = dot;
    }
  return out;
}

std::vector<std::int32_t> multiply(const KernelTable& table, const Problem& p,
                                   std::size_t out_size) {
  GuardedBuffer<std::uint64_t> panels(p.panels());
  GuardedBuffer<std::uint64_t> activations(p.activations);
  GuardedBuffer<std::int32_t> out(std::vector<std::int32_t>(out_size, kUntouched));
  table.xnor_gemm(panels.data(), p.rows, activations.data(), p.tokens, p.cols, out.data(),
                  p.out_stride);
  return out.values();
}

std::vector<std::uint64_t> compare(const KernelTable& table, const Problem& p,
                                   const std::vector<std::int32_t>& limits) {
  GuardedBuffer<std::uint64_t> panels(p.panels());
  GuardedBuffer<std::uint64_t> activations(p.activations);
  GuardedBuffer<std::int32_t> thresholds(limits);
  const std::size_t out_size = p.tokens * ((p.rows + 63) / 64);
  GuardedBuffer<std::uint64_t> out(std::vector<std::uint64_t>(out_size, ~std::uint64_t{0}));
  table.xnor_threshold(panels.data(), p.rows, activations.data(), p.tokens, p.cols,
                       thresholds.data(), out.data());
  return out.values();
}

void expect_plain_products(const Problem& p) {
  const std::vector<std::int32_t> expected = plain_products(p);
  for_each_supported_table([&](const KernelTable& table) {
    ASSERT_EQ(multiply(table, p, expected.size()), expected) << p.text();
  });
}

TEST(Xnor, EveryTableGivesTheSumsOfSigns) {
  Draws draws(61);
  for (std::size_t cols = 0; cols <= 130; ++cols) {
    expect_plain_products(make_problem(draws, 1 + draws.below(70), 1 + draws.below(16), cols));
    if (HasFatalFailure()) return;
  }
  for (const std::size_t cols : {191U, 256U, 320U, 511U, 513U, 767U, 1024U, 1500U, 2048U}) {
    expect_plain_products(make_problem(draws, 7, 5, cols));
    expect_plain_products(make_problem(draws, 37, 11, cols));
    if (HasFatalFailure()) return;
  }
  for (std::size_t rows = 0; rows <= 9; ++rows)
    for (std::size_t tokens = 0; tokens <= 13; ++tokens) {
      expect_plain_products(make_problem(draws, rows, tokens, 1 + draws.below(700)));
      if (HasFatalFailure()) return;
    }
  expect_plain_products(make_problem(draws, 5, 131, 70));  // more tokens than go by at once
}

// All differ, the largest count there is: what is counted in bytes must not overflow.
TEST(Xnor, LongRowsThatDifferEverywhere) {
  for (const std::size_t cols : {1984U, 2048U, 7936U, 8000U, 15873U, 16000U, 40000U}) {
    for (const std::size_t tokens : {2U, 9U}) {
      const std::size_t words = (cols + 63) / 64;
      std::vector<std::uint64_t> ones(tokens * words, ~std::uint64_t{0});
      for (std::size_t t = 0; cols % 64 != 0 && t < tokens; ++t)
        ones[t * words + words - 1] >>= 64 - cols % 64;
      const Problem p{.rows = 5,
                      .tokens = tokens,
                      .cols = cols,
                      .out_stride = 5,
                      .weights = std::vector<std::uint64_t>(5 * words),
                      .activations = ones};
      const std::vector<std::int32_t> expected(5 * tokens, -static_cast<std::int32_t>(cols));
      for_each_supported_table([&](const KernelTable& table) {
        ASSERT_EQ(multiply(table, p, expected.size()), expected) << p.text();
      });
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Xnor, ThresholdsAreComparisonsOfTheProducts) {
  Draws draws(62);
  for (const std::size_t rows : {0U, 1U, 3U, 4U, 5U, 63U, 64U, 65U, 127U, 128U, 130U}) {
    const Problem p = make_problem(draws, rows, draws.below(14), 1 + draws.below(300));
    const std::vector<std::int32_t> dots = plain_products(p);
    std::vector<std::int32_t> limits(rows);
    for (std::size_t row = 0; row < rows; ++row) {  // often just met, or just missed
      limits[row] = static_cast<std::int32_t>(draws.below(21)) - 10;
      if (p.tokens != 0) limits[row] = dots[row] + static_cast<std::int32_t>(row % 3) - 1;
    }
    if (rows > 2) limits[0] = std::numeric_limits<std::int32_t>::min();
    if (rows > 2) limits[1] = std::numeric_limits<std::int32_t>::max();
    std::vector<std::uint64_t> expected(p.tokens * ((rows + 63) / 64));
    for (std::size_t t = 0; t < p.tokens; ++t)
      for (std::size_t row = 0; row < rows; ++row)
        if (dots[t * p.out_stride + row] >= limits[row])
          expected[t * ((rows + 63) / 64) + row / 64] |= std::uint64_t{1} << row % 64;
    for_each_supported_table([&](const KernelTable& table) {
      ASSERT_EQ(compare(table, p, limits), expected) << p.text();
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace bankai::kernels
