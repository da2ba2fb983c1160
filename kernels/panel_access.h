// Single weights and scales of panels: what the scalar specification reads. Everything is in an
// unnamed namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace bankai::kernels {
namespace {

// The 16-bit lane of row i of a panel in a line of scales or words.
constexpr std::size_t panel_lane(std::size_t row_in_panel) {
  return row_in_panel < 16 ? 2 * row_in_panel : 2 * (row_in_panel - 16) + 1;
}

// The lines of the run that holds column `col` of the panel with `row`.
constexpr const std::uint8_t* panel_run(const Panels& panels, std::size_t row, std::size_t col) {
  const PanelFormatInfo& info = panel_format_info(panels.format);
  return panels.lines + row / kPanelRows * panel_bytes(panels.format, panels.cols) +
         col / info.run_cols * info.run_lines * kLineBytes;
}

constexpr std::uint16_t panel_halfword(const std::uint8_t* line, std::size_t row) {
  const std::uint8_t* at = line + 2 * panel_lane(row % kPanelRows);
  return static_cast<std::uint16_t>(at[0] | at[1] << 8U);
}

// The scale of a weight, IEEE half precision.
constexpr std::uint16_t panel_scale(const Panels& panels, std::size_t row, std::size_t col) {
  return panel_halfword(panel_run(panels, row, col), row);
}

// The weight in units of its scale.
constexpr int panel_weight(const Panels& panels, std::size_t row, std::size_t col) {
  const PanelFormatInfo& info = panel_format_info(panels.format);
  const std::uint8_t* plane = panel_run(panels, row, col) + kLineBytes;
  const std::size_t in_run = col % info.run_cols;
  if (panels.format == PanelFormat::kInt8) {
    const std::size_t line = 2 * (in_run / 4) + row % kPanelRows / 16;
    return static_cast<std::int8_t>(plane[line * kLineBytes + row % 16 * 4 + in_run % 4]);
  }
  const auto bit = [&](std::size_t first_line) {
    const std::uint8_t* line = plane + (first_line + in_run / 16) * kLineBytes;
    return (panel_halfword(line, row) >> in_run % 16) & 1;
  };
  if (panels.format == PanelFormat::kOneBit) return 2 * bit(0) - 1;
  return bit(0) + 2 * bit(info.run_cols / 16) - 1;
}

}  // namespace
}  // namespace bankai::kernels
