// Products with transposed one-bit weights: every table against the scalar one bit for bit, the
// scalar one against plain arithmetic, and the law that makes it the transposed product.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/panel_access.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

struct Problem {
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  std::size_t gradient_stride;
  bool fine;
  std::vector<std::uint8_t> lines;
  std::vector<float> gradient;

  Panels panels() const { return {PanelFormat::kOneBit, lines.data(), rows, cols}; }
  std::string text() const {
    return std::to_string(rows) + " rows, " + std::to_string(cols) + " columns, " +
           std::to_string(tokens) + " tokens" + (fine ? ", fine" : "");
  }
};

void set_halfword(Problem& p, const std::uint8_t* line, std::size_t row, std::uint16_t value) {
  const auto at =
      static_cast<std::size_t>(line - p.lines.data()) + 2 * panel_lane(row % kPanelRows);
  p.lines[at] = static_cast<std::uint8_t>(value);
  p.lines[at + 1] = static_cast<std::uint8_t>(value >> 8U);
}

// Random signs, scales near 0.01; rows that do not exist hold anything.
Problem make_problem(Draws& draws, std::size_t rows, std::size_t cols, std::size_t tokens,
                     bool fine) {
  Problem p{.rows = rows,
            .cols = cols,
            .tokens = tokens,
            .gradient_stride = rows + draws.below(5),
            .fine = fine,
            .lines = {},
            .gradient = {}};
  p.lines.resize(panels_bytes(p.panels()));
  for (std::uint8_t& byte : p.lines) byte = static_cast<std::uint8_t>(draws.bits());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t col = 0; col < cols; col += 128)
      set_halfword(p, panel_run(p.panels(), row, col), row,
                   static_cast<std::uint16_t>(0x2000U + draws.below(0x1000)));
  if (tokens != 0 && rows != 0)
    p.gradient = draws.ordinary((tokens - 1) * p.gradient_stride + rows);
  return p;
}

constexpr float kUntouched = -12345.0F;

// With `gap` floats between the tokens of the result.
std::vector<float> multiply(const KernelTable& table, const Problem& p, std::size_t first_group,
                            std::size_t num_groups, std::size_t gap = 0) {
  GuardedBuffer<std::uint8_t> lines(p.lines);
  GuardedBuffer<float> gradient(p.gradient);
  const std::size_t out_stride = num_groups * 128 + gap;
  const std::size_t out_size = p.tokens == 0 ? 0 : p.tokens * out_stride - gap;
  GuardedBuffer<float> out(std::vector<float>(out_size, kUntouched));
  table.gemm_transposed({PanelFormat::kOneBit, lines.data(), p.rows, p.cols}, first_group,
                        num_groups, gradient.data(), p.tokens, p.gradient_stride, p.fine,
                        out.data(), out_stride);
  return out.values();
}

std::vector<float> multiply(const KernelTable& table, const Problem& p) {
  return multiply(table, p, 0, p.cols / 128);
}

void expect_tables_agree(Draws& draws, const Problem& p) {
  const std::size_t groups = p.cols / 128;
  const std::size_t first = draws.below(groups + 1);
  const std::size_t count = draws.below(groups - first + 1);
  const std::size_t gap = draws.below(4);
  const KernelTable& scalar = *all_kernels().front();
  const std::vector<float> part = multiply(scalar, p, first, count, gap);
  const std::vector<float> all = multiply(scalar, p);
  for_each_supported_table([&](const KernelTable& table) {
    if (&table == &scalar) return;
    expect_same_bits(multiply(table, p, first, count, gap), part, p.text() + ", some columns");
    expect_same_bits(multiply(table, p), all, p.text());
  });
}

TEST(GemmTransposed, EveryTableGivesTheScalarBits) {
  Draws draws(51);
  for (const bool fine : {false, true}) {
    for (const std::size_t rows :
         {0U,  1U,  2U,   15U,  16U,  17U,  31U,  32U,  33U,  40U,  63U,  64U, 65U,
          95U, 97U, 127U, 128U, 129U, 159U, 161U, 224U, 255U, 256U, 257U, 300U}) {
      const std::size_t tokens = draws.below(6);
      expect_tables_agree(draws,
                          make_problem(draws, rows, 128 * (1 + draws.below(4)), tokens, fine));
      if (HasFatalFailure()) return;
    }
    for (std::size_t tokens = 0; tokens <= 20; ++tokens) {
      expect_tables_agree(draws, make_problem(draws, 1 + draws.below(200), 128, tokens, fine));
      if (HasFatalFailure()) return;
    }
    expect_tables_agree(draws, make_problem(draws, 33, 128, 131, fine));  // more than one tile
    expect_tables_agree(draws, make_problem(draws, 33, 0, 3, fine));
  }
}

TEST(GemmTransposed, TablesAgreeOnExtremeInputs) {
  Draws draws(52);
  constexpr std::uint16_t kHalves[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF,
                                       0x7C00, 0xFC00, 0x7E00, 0x3C00};
  for (int round = 0; round < 40; ++round) {
    Problem p = make_problem(draws, 1 + draws.below(300), 256, 1 + draws.below(5), round % 2 == 0);
    if (round % 4 < 2) p.gradient = draws.awkward(p.gradient.size());
    for (std::size_t row = 0; round % 8 < 4 && row < p.rows; ++row)
      set_halfword(p, panel_run(p.panels(), row, 0), row, kHalves[draws.below(std::size(kHalves))]);
    expect_tables_agree(draws, p);
    if (HasFatalFailure()) return;
  }
}

// All signs and all digits alike: the largest integers there can be.
TEST(GemmTransposed, LargestSums) {
  Draws draws(53);
  for (const bool fine : {false, true}) {
    for (const std::uint16_t signs : std::initializer_list<std::uint16_t>{0x0000, 0xFFFF, 0x5555}) {
      Problem p = make_problem(draws, 256, 128, 3, fine);
      std::fill(p.gradient.begin(), p.gradient.end(), -2.0F);
      for (std::size_t row = 0; row < p.rows; ++row) {
        const std::uint8_t* run = panel_run(p.panels(), row, 0);
        set_halfword(p, run, row, 0x3C00);  // 1
        for (std::size_t line = 1; line <= 8; ++line)
          set_halfword(p, run + line * kLineBytes, row, signs);
      }
      for_each_supported_table([&](const KernelTable& table) {
        const std::vector<float> out = multiply(table, p);
        for (std::size_t i = 0; i < out.size(); ++i)
          ASSERT_FLOAT_EQ(out[i], (signs >> i % 16 & 1) != 0 ? -512.0F : 512.0F) << p.text();
      });
    }
  }
}

// Half a step of the quantiser for each row, and the rounding of the sums.
TEST(GemmTransposed, IsTheTransposedProduct) {
  Draws draws(54);
  for (const bool fine : {false, true}) {
    const Problem p = make_problem(draws, 300, 384, 4, fine);
    const std::vector<float> out = multiply(*all_kernels().front(), p);
    for (std::size_t t = 0; t < p.tokens; ++t) {
      for (std::size_t col = 0; col < p.cols; ++col) {
        double sum = 0.0;
        double magnitude = 0.0;
        double steps = 0.0;
        for (std::size_t block = 0; block < p.rows; block += 128) {
          double largest = 0.0;
          const std::size_t end = std::min(p.rows, block + 128);
          for (std::size_t row = block; row < end; ++row) {
            const double u = static_cast<double>(p.gradient[t * p.gradient_stride + row]) *
                             static_cast<double>(f16_to_float(panel_scale(p.panels(), row, col)));
            sum += u * panel_weight(p.panels(), row, col);
            magnitude += std::fabs(u);
            largest = std::max(largest, std::fabs(u));
          }
          steps += static_cast<double>(end - block) * largest / (fine ? 32512.0 : 127.0);
        }
        ASSERT_NEAR(static_cast<double>(out[t * p.cols + col]), sum,
                    0.5 * steps + 0x1p-20 * magnitude)
            << p.text();
      }
    }
  }
}

TEST(GemmTransposed, ColumnGroupsDoNotKnowOfEachOther) {
  Draws draws(55);
  for_each_supported_table([&](const KernelTable& table) {
    const Problem p = make_problem(draws, 161, 640, 9, draws.below(2) == 0);
    const std::vector<float> all = multiply(table, p);
    for (std::size_t first = 0; first < 5; ++first)
      for (std::size_t count = 0; first + count <= 5; ++count) {
        const std::vector<float> some = multiply(table, p, first, count);
        for (std::size_t i = 0; i < some.size(); ++i) {
          const std::size_t token = i / (128 * count);
          ASSERT_TRUE(same_bits(some[i], all[token * 640 + first * 128 + i % (128 * count)]));
        }
      }
  });
}

double inner(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// <W x, y> = <x, Wᵀ y>, but for what the two quantisers round off.
TEST(GemmTransposed, IsAdjointToTheProduct) {
  Draws draws(56);
  for_each_supported_table([&](const KernelTable& table) {
    Problem p = make_problem(draws, 200, 384, 1, true);
    const std::vector<float> x = draws.ordinary(p.cols);
    std::vector<std::int8_t> high(p.cols);
    std::vector<std::int8_t> low(p.cols);
    std::vector<float> scales(p.cols / 128);
    table.quantize_a16(x.data(), p.cols, high.data(), low.data(), scales.data());
    GuardedBuffer<std::uint8_t> lines(p.lines);
    std::vector<float> product(p.rows);
    table.gemm[static_cast<std::size_t>(PanelFormat::kOneBit)](
        {PanelFormat::kOneBit, lines.data(), p.rows, p.cols},
        {high.data(), low.data(), scales.data(), 1, p.cols}, product.data(), p.rows);
    p.gradient.resize(p.rows);
    const double left = inner(product, p.gradient);
    const double right = inner(x, multiply(table, p));
    const double size = std::sqrt(inner(product, product) * inner(p.gradient, p.gradient));
    EXPECT_GT(size, 1.0);
    EXPECT_NEAR(left, right, 1e-4 * size);
  });
}

}  // namespace
}  // namespace bankai::kernels
