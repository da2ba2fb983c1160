// The canonical products: every table against the scalar one bit for bit, the scalar one against an
// evaluation written here, and the laws that the search relies on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

struct Format {
  const char* name;
  std::size_t block_cols;
  std::size_t block_bytes;
  decltype(KernelTable::gemm_q1_0) KernelTable::*gemm;
};

constexpr Format kQ1{"Q1_0", 128, 18, &KernelTable::gemm_q1_0};
constexpr Format kQ8{"Q8_0", 32, 34, &KernelTable::gemm_q8_0};
constexpr Format kFormats[] = {kQ1, kQ8};

struct Problem {
  Format format = kQ1;
  std::size_t rows = 0;
  std::size_t tokens = 0;
  std::size_t cols = 0;
  std::size_t out_stride = 0;
  std::vector<std::uint8_t> blocks;
  std::vector<std::int8_t> high;
  std::vector<std::int8_t> low;  // empty for a8
  std::vector<float> scales;

  std::size_t row_bytes() const { return cols / format.block_cols * format.block_bytes; }
  std::string text() const {
    return std::string(format.name) + ", " + std::to_string(rows) + " rows, " +
           std::to_string(tokens) + " tokens, " + std::to_string(cols) + " columns, " +
           (low.empty() ? "a8" : "a16");
  }
};

void set_scale(Problem& p, std::size_t block, std::uint16_t half) {
  std::memcpy(p.blocks.data() + block * p.format.block_bytes, &half, sizeof half);
}

Problem make_problem(Draws& draws, const Format& format, std::size_t rows, std::size_t tokens,
                     std::size_t cols, bool a16) {
  Problem p{.format = format,
            .rows = rows,
            .tokens = tokens,
            .cols = cols,
            .out_stride = rows + draws.below(4),
            .blocks = {},
            .high = {},
            .low = {},
            .scales = {}};
  p.blocks.resize(rows * p.row_bytes());
  for (std::uint8_t& byte : p.blocks) byte = static_cast<std::uint8_t>(draws.bits());
  for (std::size_t b = 0; b < p.blocks.size() / format.block_bytes; ++b)
    set_scale(p, b, static_cast<std::uint16_t>(0x2000U + draws.below(0x1000)));
  p.high.resize(tokens * cols);
  for (std::int8_t& digit : p.high) digit = draws.digit();
  if (a16) {
    p.low.resize(tokens * cols);
    for (std::int8_t& digit : p.low) digit = draws.digit();
  }
  p.scales.resize(tokens * cols / 128);
  for (float& scale : p.scales) scale = draws.symmetric(0.1F) + 0.11F;
  return p;
}

constexpr float kUntouched = -12345.0F;

// All inputs and the output end at a page without access.
std::vector<float> multiply(const KernelTable& table, const Problem& p) {
  GuardedBuffer<std::uint8_t> blocks(p.blocks);
  GuardedBuffer<std::int8_t> high(p.high);
  GuardedBuffer<std::int8_t> low(p.low);
  GuardedBuffer<float> scales(p.scales);
  const std::size_t out_size = p.tokens == 0 ? 0 : (p.tokens - 1) * p.out_stride + p.rows;
  GuardedBuffer<float> out(std::vector<float>(out_size, kUntouched));
  const Activations activations{.high = high.data(),
                                .low = p.low.empty() ? nullptr : low.data(),
                                .scales = scales.data(),
                                .tokens = p.tokens,
                                .cols = p.cols};
  (table.*p.format.gemm)(blocks.data(), p.rows, activations, out.data(), p.out_stride);
  return out.values();
}

int weight(const Problem& p, std::size_t row, std::size_t col) {
  const std::uint8_t* block =
      p.blocks.data() + row * p.row_bytes() + col / p.format.block_cols * p.format.block_bytes;
  const std::size_t in_block = col % p.format.block_cols;
  if (p.format.block_cols == 32) return static_cast<std::int8_t>(block[2 + in_block]);
  return (block[2 + in_block / 8] & (1U << (in_block % 8))) != 0 ? 1 : -1;
}

double block_scale(const Problem& p, std::size_t row, std::size_t col) {
  std::uint16_t half;
  std::memcpy(
      &half,
      p.blocks.data() + row * p.row_bytes() + col / p.format.block_cols * p.format.block_bytes,
      sizeof half);
  return std::ldexp(1024.0 + (half & 0x3FFU), static_cast<int>(half >> 10U) - 25);
}

// Every table, and the scalar one first.
void expect_tables_agree(const Problem& p) {
  const std::vector<float> expected = multiply(*all_kernels().front(), p);
  for_each_supported_table([&](const KernelTable& table) {
    if (&table != all_kernels().front()) expect_same_bits(multiply(table, p), expected, p.text());
  });
}

TEST(Gemm, EveryTableGivesTheScalarBits) {
  Draws draws(21);
  std::vector<std::size_t> row_counts;
  for (std::size_t rows = 0; rows <= 35; ++rows) row_counts.push_back(rows);
  for (std::size_t rows : {63U, 64U, 65U, 96U, 127U, 128U, 129U, 161U}) row_counts.push_back(rows);
  for (const Format& format : kFormats) {
    for (const std::size_t rows : row_counts) {
      for (const bool a16 : {false, true}) {
        const std::size_t tokens = draws.below(21);
        const std::size_t cols = 128 * (1 + draws.below(9));
        expect_tables_agree(make_problem(draws, format, rows, tokens, cols, a16));
        if (HasFatalFailure()) return;
      }
    }
    for (std::size_t tokens = 0; tokens <= 35; ++tokens) {
      for (std::size_t cols = 128; cols <= 1152; cols += 128) {
        const std::size_t rows = 1 + draws.below(20);
        expect_tables_agree(make_problem(draws, format, rows, tokens, cols, tokens % 2 == 0));
        if (HasFatalFailure()) return;
      }
    }
    expect_tables_agree(make_problem(draws, format, 5, 3, 0, false));
  }
}

// Σ over blocks of the exact integer times the two scales, in double.
TEST(Gemm, AgreesWithPlainArithmetic) {
  Draws draws(22);
  for (const Format& format : kFormats) {
    for (const bool a16 : {false, true}) {
      const Problem p = make_problem(draws, format, 19, 7, 640, a16);
      const std::vector<float> out = multiply(*all_kernels().front(), p);
      for (std::size_t t = 0; t < p.tokens; ++t) {
        for (std::size_t row = 0; row < p.rows; ++row) {
          double sum = 0.0;
          double magnitude = 0.0;
          for (std::size_t first = 0; first < p.cols; first += format.block_cols) {
            std::int64_t dot = 0;
            for (std::size_t col = first; col < first + format.block_cols; ++col) {
              const std::size_t i = t * p.cols + col;
              const int value = a16 ? 255 * p.high[i] + p.low[i] : p.high[i];
              dot += weight(p, row, col) * value;
            }
            const double term = static_cast<double>(dot) * block_scale(p, row, first) *
                                static_cast<double>(p.scales[(t * p.cols + first) / 128]);
            sum += term;
            magnitude += std::fabs(term);
          }
          ASSERT_NEAR(static_cast<double>(out[t * p.out_stride + row]), sum, magnitude * 0x1p-22);
        }
        for (std::size_t row = p.rows; row < p.out_stride && t + 1 < p.tokens; ++row)
          ASSERT_EQ(out[t * p.out_stride + row], kUntouched) << "gap between tokens";
      }
    }
  }
}

// With scales of 1 the result is the integer itself, up to the largest one there can be.
TEST(Gemm, OneBlockIsExact) {
  Draws draws(23);
  for_each_supported_table([&](const KernelTable& table) {
    for (const Format& format : kFormats) {
      for (const int pattern : {0x00, 0xFF, 0x55, 0xAA, 0x80}) {
        for (const int digit : {127, -127, 1, 0}) {
          Problem p = make_problem(draws, format, 33, 5, 128, true);
          std::fill(p.blocks.begin(), p.blocks.end(), static_cast<std::uint8_t>(pattern));
          for (std::size_t b = 0; b < p.blocks.size() / format.block_bytes; ++b)
            set_scale(p, b, b * format.block_cols % 128 == 0 ? 0x3C00 : 0);  // 1 for block 0
          std::fill(p.high.begin(), p.high.end(), static_cast<std::int8_t>(digit));
          std::fill(p.low.begin(), p.low.end(), static_cast<std::int8_t>(digit));
          std::fill(p.scales.begin(), p.scales.end(), 1.0F);
          std::int64_t dot = 0;
          for (std::size_t col = 0; col < format.block_cols; ++col)
            dot += weight(p, 0, col) * 256 * digit;
          const std::vector<float> out = multiply(table, p);
          for (std::size_t t = 0; t < p.tokens; ++t)
            for (std::size_t row = 0; row < p.rows; ++row)
              ASSERT_EQ(out[t * p.out_stride + row], static_cast<float>(dot)) << p.text();
        }
      }
    }
  });
}

TEST(Gemm, TablesAgreeOnExtremeInputs) {
  Draws draws(24);
  constexpr std::uint16_t kHalves[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF,
                                       0x7C00, 0xFC00, 0x7E00, 0x3C00};
  constexpr float kScales[] = {0.0F,
                               -0.0F,
                               0x1p-149F,
                               0x1p127F,
                               1.0F,
                               std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::quiet_NaN()};
  for (int round = 0; round < 60; ++round) {
    Problem p = make_problem(draws, kFormats[round % 2], 1 + draws.below(40), 1 + draws.below(9),
                             128 * (1 + draws.below(6)), round % 4 < 2);
    for (std::size_t b = 0; b < p.blocks.size() / p.format.block_bytes; ++b)
      if (draws.below(3) == 0) set_scale(p, b, kHalves[draws.below(std::size(kHalves))]);
    for (float& scale : p.scales)
      if (draws.below(4) == 0) scale = kScales[draws.below(std::size(kScales))];
    const std::int8_t largest = draws.below(2) == 0 ? std::int8_t{127} : std::int8_t{-127};
    if (round % 3 == 0) std::fill(p.high.begin(), p.high.end(), largest);
    if (round % 3 == 0) std::fill(p.low.begin(), p.low.end(), largest);
    expect_tables_agree(p);
    if (HasFatalFailure()) return;
  }
}

TEST(Gemm, NegatedActivationsNegateTheResult) {
  Draws draws(25);
  for_each_supported_table([&](const KernelTable& table) {
    for (const Format& format : kFormats) {
      const Problem p = make_problem(draws, format, 37, 6, 768, true);
      Problem negated = p;
      for (std::int8_t& digit : negated.high) digit = static_cast<std::int8_t>(-digit);
      for (std::int8_t& digit : negated.low) digit = static_cast<std::int8_t>(-digit);
      const std::vector<float> out = multiply(table, p);
      const std::vector<float> minus_out = multiply(table, negated);
      for (std::size_t t = 0; t < p.tokens; ++t)
        for (std::size_t row = 0; row < p.rows; ++row)
          ASSERT_EQ(minus_out[t * p.out_stride + row], -out[t * p.out_stride + row]);
    }
  });
}

TEST(Gemm, FlippingAllBitsOfARowNegatesItAlone) {
  Draws draws(26);
  for_each_supported_table([&](const KernelTable& table) {
    const Problem p = make_problem(draws, kQ1, 20, 9, 896, true);
    const std::vector<float> out = multiply(table, p);
    for (std::size_t flipped = 0; flipped < p.rows; flipped += 3) {
      Problem q = p;
      std::uint8_t* row_blocks = q.blocks.data() + flipped * q.row_bytes();
      for (std::size_t i = 0; i < q.row_bytes(); ++i)
        if (i % kQ1.block_bytes >= 2) row_blocks[i] = static_cast<std::uint8_t>(~row_blocks[i]);
      const std::vector<float> changed = multiply(table, q);
      for (std::size_t t = 0; t < p.tokens; ++t) {
        for (std::size_t row = 0; row < p.rows; ++row) {
          const float before = out[t * p.out_stride + row];
          ASSERT_EQ(changed[t * p.out_stride + row], row == flipped ? -before : before);
        }
      }
    }
  });
}

TEST(Gemm, ATokenAndARowDoNotDependOnTheirNeighbours) {
  Draws draws(27);
  for_each_supported_table([&](const KernelTable& table) {
    for (const Format& format : kFormats) {
      for (const bool a16 : {false, true}) {
        const Problem p = make_problem(draws, format, 41, 18, 768, a16);
        const std::vector<float> out = multiply(table, p);
        for (std::size_t t = 0; t < p.tokens; ++t) {
          Problem one = p;
          one.tokens = 1;
          const auto keep = [&](auto& values, std::size_t per_token) {
            if (values.empty()) return;
            const auto first = values.begin() + static_cast<std::ptrdiff_t>(t * per_token);
            values = {first, first + static_cast<std::ptrdiff_t>(per_token)};
          };
          keep(one.high, p.cols);
          keep(one.low, p.cols);
          keep(one.scales, p.cols / 128);
          const std::size_t row = draws.below(p.rows);
          Problem one_row = one;
          one_row.rows = 1;
          const std::uint8_t* blocks = p.blocks.data() + row * p.row_bytes();
          one_row.blocks.assign(blocks, blocks + p.row_bytes());
          const std::vector<float> alone = multiply(table, one);
          for (std::size_t r = 0; r < p.rows; ++r)
            ASSERT_TRUE(same_bits(alone[r], out[t * p.out_stride + r])) << p.text();
          ASSERT_TRUE(same_bits(multiply(table, one_row)[0], alone[row])) << p.text();
        }
      }
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
