// The canonical products: every table against the scalar one bit for bit, the scalar one against an
// evaluation written here, and the laws that the search relies on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/gemm_problem.h"

namespace bankai::kernels {
namespace {

TEST(Gemm, EveryTableGivesTheScalarBits) {
  Draws draws(21);
  std::vector<std::size_t> row_counts;
  for (std::size_t rows = 0; rows <= 35; ++rows) row_counts.push_back(rows);
  for (std::size_t rows : {63U, 64U, 65U, 96U, 127U, 128U, 129U, 161U}) row_counts.push_back(rows);
  for (const PanelFormatInfo& info : kPanelFormats) {
    for (const std::size_t rows : row_counts) {
      for (const bool a16 : {false, true}) {
        const std::size_t tokens = draws.below(rows > 35 ? 9 : 21);
        const std::size_t cols = 128 * (1 + draws.below(rows > 35 ? 6 : 9));
        expect_tables_agree(make_problem(draws, info.format, rows, tokens, cols, a16));
        if (HasFatalFailure()) return;
      }
    }
    for (std::size_t tokens = 0; tokens <= 35; ++tokens) {
      for (std::size_t cols = 128; cols <= 1152; cols += 128) {
        const std::size_t rows = 1 + draws.below(8);
        expect_tables_agree(make_problem(draws, info.format, rows, tokens, cols, tokens % 2 == 0));
        if (HasFatalFailure()) return;
      }
    }
    expect_tables_agree(make_problem(draws, info.format, 5, 3, 0, false));
  }
}

// More columns than any table prepares at once.
TEST(Gemm, TablesAgreeOnManyColumns) {
  Draws draws(28);
  for (const PanelFormatInfo& info : kPanelFormats)
    for (const bool a16 : {false, true})
      for (const std::size_t tokens : {1U, 3U})
        expect_tables_agree(make_problem(draws, info.format, 3, tokens, 128 * 139, a16));
}

// Σ over runs of the exact integer times the two scales, in double.
TEST(Gemm, AgreesWithPlainArithmetic) {
  Draws draws(22);
  for (const PanelFormatInfo& info : kPanelFormats) {
    for (const bool a16 : {false, true}) {
      const Problem p = make_problem(draws, info.format, 41, 7, 640, a16);
      const std::vector<float> out = multiply(*all_kernels().front(), p);
      for (std::size_t t = 0; t < p.tokens; ++t) {
        for (std::size_t row = 0; row < p.rows; ++row) {
          double sum = 0.0;
          double magnitude = 0.0;
          for (std::size_t first = 0; first < p.cols; first += info.run_cols) {
            std::int64_t dot = 0;
            for (std::size_t col = first; col < first + info.run_cols; ++col) {
              const std::size_t i = t * p.cols + col;
              const int value = a16 ? 255 * p.high[i] + p.low[i] : p.high[i];
              dot += panel_weight(p.panels(), row, col) * value;
            }
            const std::uint16_t half = panel_scale(p.panels(), row, first);
            const double weight_scale =
                std::ldexp(1024.0 + (half & 0x3FFU), static_cast<int>(half >> 10U) - 25);
            const double term = static_cast<double>(dot) * weight_scale *
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

// Weights whose bits repeat: every byte of a plane (or of int8 weights) is the same.
void fill_weights(Problem& p, int plane0, int plane1) {
  for (std::size_t panel = 0; panel < num_panels(p.rows); ++panel) {
    for_each_line(p, panel, [&](std::uint8_t* line, std::size_t line_in_run) {
      const bool is_second = p.format != PanelFormat::kInt8 && line_in_run > p.info().run_cols / 16;
      if (line_in_run > 0) std::memset(line, is_second ? plane1 : plane0, kLineBytes);
    });
  }
}

// With scales of 1 the result is the integer itself, up to the largest one there can be.
TEST(Gemm, OneRunIsExact) {
  constexpr int kPatterns[][2] = {{0x00, 0x00}, {0xFF, 0xFF}, {0x00, 0xFF}, {0xFF, 0x00},
                                  {0x55, 0xAA}, {0x80, 0x7F}, {0x7F, 0x80}};
  Draws draws(23);
  for_each_supported_table([&](const KernelTable& table) {
    for (const PanelFormatInfo& info : kPanelFormats) {
      for (const auto& pattern : kPatterns) {
        for (const int digit : {127, -127, 1, 0}) {
          for (const bool a16 : {false, true}) {
            Problem p = make_problem(draws, info.format, 65, 5, 128, a16);
            fill_weights(p, pattern[0], pattern[1]);
            for (std::size_t row = 0; row < p.rows; ++row)
              for (std::size_t col = 0; col < p.cols; col += info.run_cols)
                set_scale(p, row, col, col == 0 ? 0x3C00 : 0);  // 1 for the first run
            std::fill(p.high.begin(), p.high.end(), static_cast<std::int8_t>(digit));
            std::fill(p.low.begin(), p.low.end(), static_cast<std::int8_t>(digit));
            std::fill(p.scales.begin(), p.scales.end(), 1.0F);
            std::int64_t dot = 0;
            for (std::size_t col = 0; col < info.run_cols; ++col)
              dot += panel_weight(p.panels(), 0, col) * (a16 ? 256 : 1) * digit;
            const std::vector<float> out = multiply(table, p);
            for (std::size_t t = 0; t < p.tokens; ++t)
              for (std::size_t row = 0; row < p.rows; ++row)
                ASSERT_EQ(out[t * p.out_stride + row], static_cast<float>(dot)) << p.text();
          }
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
  for (std::size_t round = 0; round < 120; ++round) {
    Problem p =
        make_problem(draws, kPanelFormats[round % kNumPanelFormats].format, 1 + draws.below(40),
                     1 + draws.below(9), 128 * (1 + draws.below(6)), round % 8 < 4);
    for (std::size_t row = 0; row < p.rows; ++row)
      for (std::size_t col = 0; col < p.cols; col += p.info().run_cols)
        if (draws.below(3) == 0) set_scale(p, row, col, kHalves[draws.below(std::size(kHalves))]);
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
    for (const PanelFormatInfo& info : kPanelFormats) {
      const Problem p = make_problem(draws, info.format, 37, 6, 768, true);
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
    const Problem p = make_problem(draws, PanelFormat::kOneBit, 40, 9, 896, true);
    const std::vector<float> out = multiply(table, p);
    for (std::size_t flipped = 0; flipped < p.rows; flipped += 3) {
      Problem q = p;
      for_each_line(q, flipped / kPanelRows, [&](std::uint8_t* line, std::size_t line_in_run) {
        const Cell cell = cell_of(q, flipped, line_in_run);
        for (std::size_t i = 0; line_in_run > 0 && i < cell.bytes; ++i)
          line[cell.offset + i] = static_cast<std::uint8_t>(~line[cell.offset + i]);
      });
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

Problem only_token(const Problem& p, std::size_t token) {
  Problem one = p;
  one.tokens = 1;
  const auto keep = [&](auto& values, std::size_t per_token) {
    if (values.empty()) return;
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(token * per_token);
    values = {first, first + static_cast<std::ptrdiff_t>(per_token)};
  };
  keep(one.high, p.cols);
  keep(one.low, p.cols);
  keep(one.scales, p.cols / 128);
  return one;
}

// The row alone, as row 0 of a panel of zeros.
Problem only_row(const Problem& p, std::size_t row) {
  Problem one = p;
  one.rows = 1;
  one.lines.assign(panel_bytes(p.format, p.cols), 0);
  const std::uint8_t* from = panel_run(p.panels(), row, 0);
  for_each_line(one, 0, [&](std::uint8_t* line, std::size_t line_in_run) {
    const Cell there = cell_of(p, row, line_in_run);
    // The row may lie in the second line of a pair, row 0 lies in the first.
    const std::size_t pair = row % kPanelRows / 16 * kLineBytes;
    const bool is_bytes = p.format == PanelFormat::kInt8 && line_in_run > 0;
    if (is_bytes && cell_of(one, 0, line_in_run).bytes == 4)
      std::memcpy(line, from + pair + row % 16 * 4, 4);
    else if (!is_bytes)
      std::memcpy(line, from + there.offset, there.bytes);
    from += kLineBytes;
  });
  return one;
}

TEST(Gemm, ATokenAndARowDoNotDependOnTheirNeighbours) {
  Draws draws(27);
  for_each_supported_table([&](const KernelTable& table) {
    for (const PanelFormatInfo& info : kPanelFormats) {
      for (const bool a16 : {false, true}) {
        const Problem p = make_problem(draws, info.format, 41, 11, 768, a16);
        const std::vector<float> out = multiply(table, p);
        for (std::size_t t = 0; t < p.tokens; ++t) {
          const Problem one = only_token(p, t);
          const std::size_t row = draws.below(p.rows);
          const std::vector<float> alone = multiply(table, one);
          for (std::size_t r = 0; r < p.rows; ++r)
            ASSERT_TRUE(same_bits(alone[r], out[t * p.out_stride + r])) << p.text();
          ASSERT_TRUE(same_bits(multiply(table, only_row(one, row))[0], alone[row])) << p.text();
        }
      }
    }
  });
}

TEST(Gemm, PanelsCanBeSliced) {
  Draws draws(29);
  for_each_supported_table([&](const KernelTable& table) {
    for (const PanelFormatInfo& info : kPanelFormats) {
      const Problem p = make_problem(draws, info.format, 150, 3, 256, true);
      const std::vector<float> out = multiply(table, p);
      for (std::size_t first = 0; first < num_panels(p.rows); ++first) {
        const Panels slice = slice_panels(p.panels(), first, 2);
        Problem part = p;
        part.rows = slice.rows;
        part.lines.assign(slice.lines, slice.lines + panels_bytes(slice));
        const std::vector<float> part_out = multiply(table, part);
        for (std::size_t t = 0; t < p.tokens; ++t)
          for (std::size_t row = 0; row < part.rows; ++row)
            ASSERT_TRUE(same_bits(part_out[t * p.out_stride + row],
                                  out[t * p.out_stride + first * kPanelRows + row]));
      }
    }
  });
}

TEST(Gemm, WhatLiesInMissingRowsDoesNotMatter) {
  Draws draws(30);
  for_each_supported_table([&](const KernelTable& table) {
    for (const PanelFormatInfo& info : kPanelFormats) {
      for (const std::size_t rows : {1U, 17U, 50U, 125U}) {
        const Problem p = make_problem(draws, info.format, rows, 3, 384, false);
        const std::vector<float> out = multiply(table, p);
        Problem other = p;
        for (const int fill : {0x00, 0x7C, 0xFF}) {
          for (std::size_t row = rows; row < p.panel_rows(); ++row) {
            for_each_line(other, row / kPanelRows, [&](std::uint8_t* line, std::size_t index) {
              const Cell cell = cell_of(p, row, index);
              std::memset(line + cell.offset, fill, cell.bytes);
            });
          }
          expect_same_bits(multiply(table, other), out, p.text());
        }
      }
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
