// The layout in which weights are multiplied: panels of 32 rows, interleaved so that one 64-byte
// line serves all of them at once. Made from the file's rows when a model is loaded (pack_panels in
// panel_packing.h); patches and everything else that speaks of weights keep to the file's order.
//
// Panel p holds the rows 32 p … 32 p + 31; rows that do not exist are zero. A panel is a sequence
// of runs of columns that share one scale per row, in ascending order, and a run is these lines:
//   scales     32 halves
//   plane 0    formats of bits: one line for every 16 columns, a 16-bit word of bits per row, the
//              first column in the least significant bit
//   plane 1    formats of two bits: as plane 0
//   bytes      kInt8: for every 4 columns two lines of 16 rows × 4 bytes, rows 0 to 15 first
// In a line of halves or words, row i of the panel (i < 16) is in 16-bit lane 2 i, row 16 + i in
// lane 2 i + 1. Lines are 64-byte aligned, little-endian.
//
// The functions are in an unnamed namespace for the reason told in lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {

constexpr std::size_t kPanelRows = 32;
constexpr std::size_t kLineBytes = 64;

// What a weight is, times the scale of its run.
enum class PanelFormat : std::uint8_t {
  kOneBit,    // bit 1 → +1, 0 → −1
  kTwoBit,    // plane 0 + 2 · plane 1 − 1: −1, 0, +1, +2
  kTwoBit64,  // the same with a scale for every 64 columns
  kInt8,      // −128 … 127, with a scale for every 32 columns
};

struct PanelFormatInfo {
  PanelFormat format;
  const char* name;
  std::size_t run_cols;   // columns that share a scale; divides 128
  std::size_t run_lines;  // with the line of scales
};

constexpr PanelFormatInfo kPanelFormats[] = {
    {PanelFormat::kOneBit, "one-bit", 128, 9},
    {PanelFormat::kTwoBit, "two-bit", 128, 17},
    {PanelFormat::kTwoBit64, "two-bit, scale per 64", 64, 9},
    {PanelFormat::kInt8, "int8", 32, 17},
};
constexpr std::size_t kNumPanelFormats = sizeof kPanelFormats / sizeof kPanelFormats[0];

// Memory for panels is an array of these.
struct alignas(kLineBytes) PanelLine {
  std::uint8_t bytes[kLineBytes];
};

// (rows, cols) weights in panels; cols is a multiple of 128. Not owned.
struct Panels {
  PanelFormat format = PanelFormat::kOneBit;
  const std::uint8_t* lines = nullptr;  // 64-byte aligned; nullptr: there are none
  std::size_t rows = 0;
  std::size_t cols = 0;
};

namespace {

constexpr const PanelFormatInfo& panel_format_info(PanelFormat format) {
  return kPanelFormats[static_cast<std::size_t>(format)];
}

constexpr std::size_t num_panels(std::size_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

// Bytes of one panel of `cols` columns.
constexpr std::size_t panel_bytes(PanelFormat format, std::size_t cols) {
  const PanelFormatInfo& info = panel_format_info(format);
  return cols / info.run_cols * info.run_lines * kLineBytes;
}

constexpr std::size_t panels_bytes(const Panels& panels) {
  return num_panels(panels.rows) * panel_bytes(panels.format, panels.cols);
}

// Panels [first, first + count), fewer at the end. REQUIRES: first is below num_panels.
constexpr Panels slice_panels(const Panels& panels, std::size_t first, std::size_t count) {
  const std::size_t left = panels.rows - first * kPanelRows;
  return {panels.format, panels.lines + first * panel_bytes(panels.format, panels.cols),
          left < count * kPanelRows ? left : count * kPanelRows, panels.cols};
}

}  // namespace
}  // namespace bankai::kernels
