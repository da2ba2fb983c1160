#include "kernels/panel_packing.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "kernels/panel_access.h"
#include "kernels/ternary_blocks.h"

namespace bankai::kernels {
namespace {

// Row i of a panel: where its scales and words go in a line.
std::uint8_t* lane_of(std::uint8_t* line, std::size_t row_in_panel) {
  return line + 2 * panel_lane(row_in_panel);
}

void pack_q1_0(const std::uint8_t* row, std::size_t cols, std::size_t row_in_panel,
               std::uint8_t* panel) {
  constexpr std::size_t kBlockHalfwords = 9;  // the scale, then the bits: as in the panel
  std::uint8_t* line = lane_of(panel, row_in_panel);
  for (std::size_t i = 0; i < cols / 128 * kBlockHalfwords; ++i, line += kLineBytes)
    std::memcpy(line, row + 2 * i, 2);
}

void pack_q8_0(const std::uint8_t* row, std::size_t cols, std::size_t row_in_panel,
               std::uint8_t* panel) {
  constexpr std::size_t kBlockCols = 32;
  for (std::size_t col = 0; col < cols; col += kBlockCols, row += 34) {
    std::memcpy(lane_of(panel, row_in_panel), row, 2);
    std::uint8_t* quads = panel + kLineBytes * (1 + row_in_panel / 16) + row_in_panel % 16 * 4;
    for (std::size_t q = 0; q < kBlockCols / 4; ++q)
      std::memcpy(quads + 2 * q * kLineBytes, row + 2 + 4 * q, 4);
    panel += panel_format_info(PanelFormat::kInt8).run_lines * kLineBytes;
  }
}

// One bit of each of eight codes below 4, the first code's in the least significant bit: the
// product moves bit 0 of byte i to bit 56 + i.
std::uint8_t plane_bits(const std::uint8_t* codes, unsigned plane) {
  std::uint64_t eight;
  std::memcpy(&eight, codes, sizeof eight);
  const std::uint64_t bits = (eight >> plane) & 0x0101010101010101U;
  return static_cast<std::uint8_t>((bits * 0x0102040810204080U) >> 56U);
}

// A run of `cols` codes of one row, from the lane of its scale on.
void pack_run(const std::uint8_t* codes, std::size_t cols, std::uint16_t scale,
              std::uint8_t* line) {
  std::memcpy(line, &scale, sizeof scale);
  for (unsigned plane = 0; plane < 2; ++plane)
    for (std::size_t col = 0; col < cols; col += 16) {
      line += kLineBytes;
      line[0] = plane_bits(codes + col, plane);
      line[1] = plane_bits(codes + col + 8, plane);
    }
}

// A block with more weights than a run shares its scale with all of its runs.
void pack_ternary(TensorType type, const std::uint8_t* row, std::size_t cols,
                  std::size_t row_in_panel, std::uint8_t* panel) {
  const TensorTypeInfo& block = tensor_type_info(type);
  const PanelFormatInfo& format = panel_format_info(*panel_format_of(type));
  std::uint8_t codes[kMaxTernaryBlock];
  for (std::size_t col = 0; col < cols; col += block.block_weights, row += block.block_bytes) {
    decode_ternary_block(type, row, codes);
    const std::uint16_t scale = ternary_block_scale(type, row);
    for (std::size_t first = 0; first < block.block_weights; first += format.run_cols) {
      pack_run(codes + first, format.run_cols, scale, lane_of(panel, row_in_panel));
      panel += format.run_lines * kLineBytes;
    }
  }
}

void pack_row(const WeightRows& weights, std::size_t row, std::uint8_t* panel) {
  const std::uint8_t* bytes = weights.data + row * weights.row_bytes;
  const std::size_t row_in_panel = row % kPanelRows;
  switch (weights.type) {
    case TensorType::kQ1_0: pack_q1_0(bytes, weights.cols, row_in_panel, panel); return;
    case TensorType::kQ8_0: pack_q8_0(bytes, weights.cols, row_in_panel, panel); return;
    default:
      BANKAI_CHECK(is_ternary(weights.type), "rows of this type have no panels");
      pack_ternary(weights.type, bytes, weights.cols, row_in_panel, panel);
  }
}

}  // namespace

std::optional<PanelFormat> panel_format_of(TensorType type) {
  switch (type) {
    case TensorType::kQ1_0: return PanelFormat::kOneBit;
    case TensorType::kQ8_0: return PanelFormat::kInt8;
    case TensorType::kQ2_0: return PanelFormat::kTwoBit64;
    default: break;
  }
  if (is_ternary(type)) return PanelFormat::kTwoBit;
  return std::nullopt;
}

void pack_panels(const WeightRows& weights, std::size_t first_panel, std::size_t count,
                 std::uint8_t* lines) {
  const std::size_t bytes = panel_bytes(*panel_format_of(weights.type), weights.cols);
  for (std::size_t panel = first_panel; panel < first_panel + count; ++panel, lines += bytes) {
    const std::size_t first_row = panel * kPanelRows;
    const std::size_t last_row = std::min(weights.rows, first_row + kPanelRows);
    if (last_row - first_row < kPanelRows) std::memset(lines, 0, bytes);
    for (std::size_t row = first_row; row < last_row; ++row) pack_row(weights, row, lines);
  }
}

}  // namespace bankai::kernels
