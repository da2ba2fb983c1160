// A canonical product to be computed by every table, in buffers that end at a page without access.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "kernels/panel_access.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {

struct Problem {
  PanelFormat format = PanelFormat::kOneBit;
  std::size_t rows = 0;
  std::size_t tokens = 0;
  std::size_t cols = 0;
  std::size_t out_stride = 0;
  std::vector<std::uint8_t> lines;  // panels; rows beyond `rows` hold anything
  std::vector<std::int8_t> high;
  std::vector<std::int8_t> low;  // empty for a8
  std::vector<float> scales;

  const PanelFormatInfo& info() const { return panel_format_info(format); }
  Panels panels() const { return {format, lines.data(), rows, cols}; }
  std::size_t panel_rows() const { return num_panels(rows) * kPanelRows; }
  std::string text() const {
    return std::string(info().name) + ", " + std::to_string(rows) + " rows, " +
           std::to_string(tokens) + " tokens, " + std::to_string(cols) + " columns, " +
           (low.empty() ? "a8" : "a16");
  }
};

// The lines of one panel's runs, one after another: body(line, index of the line in its run).
template <typename Body>
void for_each_line(Problem& p, std::size_t panel, Body body) {
  const std::size_t bytes = panel_bytes(p.format, p.cols);
  std::uint8_t* first = p.lines.data() + panel * bytes;
  for (std::size_t line = 0; line < bytes / kLineBytes; ++line)
    body(first + line * kLineBytes, line % p.info().run_lines);
}

// The bytes of a row in a line; none if it has its bytes in the other line of a pair.
struct Cell {
  std::size_t offset;
  std::size_t bytes;
};
inline Cell cell_of(const Problem& p, std::size_t row, std::size_t line_in_run) {
  const std::size_t i = row % kPanelRows;
  if (p.format != PanelFormat::kInt8 || line_in_run == 0) return {2 * panel_lane(i), 2};
  if ((line_in_run - 1) % 2 != i / 16) return {0, 0};
  return {i % 16 * 4, 4};
}

inline void set_scale(Problem& p, std::size_t row, std::size_t col, std::uint16_t half) {
  const Panels panels = p.panels();
  const auto run = static_cast<std::size_t>(panel_run(panels, row, col) - panels.lines);
  std::memcpy(p.lines.data() + run + 2 * panel_lane(row % kPanelRows), &half, sizeof half);
}

inline Problem make_problem(Draws& draws, PanelFormat format, std::size_t rows, std::size_t tokens,
                            std::size_t cols, bool a16) {
  Problem p{.format = format,
            .rows = rows,
            .tokens = tokens,
            .cols = cols,
            .out_stride = rows + draws.below(4),
            .lines = {},
            .high = {},
            .low = {},
            .scales = {}};
  p.lines.resize(panels_bytes(p.panels()));
  for (std::uint8_t& byte : p.lines) byte = static_cast<std::uint8_t>(draws.bits());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t col = 0; col < cols; col += p.info().run_cols)
      set_scale(p, row, col, static_cast<std::uint16_t>(0x2000U + draws.below(0x1000)));
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

inline constexpr float kUntouched = -12345.0F;

// All inputs and the output end at a page without access; so the lines, whose bytes are a multiple
// of 64, are aligned.
inline std::vector<float> multiply(const KernelTable& table, const Problem& p) {
  GuardedBuffer<std::uint8_t> lines(p.lines);
  GuardedBuffer<std::int8_t> high(p.high);
  GuardedBuffer<std::int8_t> low(p.low);
  GuardedBuffer<float> scales(p.scales);
  const std::size_t out_size =
      p.tokens == 0 || p.rows == 0 ? 0 : (p.tokens - 1) * p.out_stride + p.rows;
  GuardedBuffer<float> out(std::vector<float>(out_size, kUntouched));
  const Activations activations{.high = high.data(),
                                .low = p.low.empty() ? nullptr : low.data(),
                                .scales = scales.data(),
                                .tokens = p.tokens,
                                .cols = p.cols};
  table.gemm[static_cast<std::size_t>(p.format)]({p.format, lines.data(), p.rows, p.cols},
                                                 activations, out.data(), p.out_stride);
  return out.values();
}

// Every table, and the scalar one first.
inline void expect_tables_agree(const Problem& p) {
  const std::vector<float> expected = multiply(*all_kernels().front(), p);
  for_each_supported_table([&](const KernelTable& table) {
    if (&table != all_kernels().front()) expect_same_bits(multiply(table, p), expected, p.text());
  });
}

}  // namespace bankai::kernels
