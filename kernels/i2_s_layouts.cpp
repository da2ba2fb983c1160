#include "kernels/i2_s_layouts.h"

#include <cstring>

#include "core/check.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kRunCols = 128;
constexpr std::size_t kRunBytes = kRunCols / 4;

// Codes as bytes, each part of `part` bytes in the next lower two bits.
void unpack_parts(const std::uint8_t* bytes, std::size_t part, std::uint8_t* codes) {
  for (unsigned shift = 8; shift > 0; codes += part) {
    shift -= 2;
    for (std::size_t i = 0; i < part; ++i)
      codes[i] = static_cast<std::uint8_t>((bytes[i] >> shift) & 3);
  }
}

// The run of 128 columns from `col` on of one row.
void unpack_run(I2sLayout layout, const std::uint8_t* codes, std::size_t row, std::size_t col,
                std::size_t cols, std::uint8_t* run) {
  if (layout == I2sLayout::kFourRows) {
    const std::uint8_t* column = codes + row / 4 * cols + col;
    const std::size_t shift = 6 - 2 * (row % 4);
    for (std::size_t i = 0; i < kRunCols; ++i)
      run[i] = static_cast<std::uint8_t>((column[i] >> shift) & 3);
    return;
  }
  const std::uint8_t* bytes = codes + (row * cols + col) / 4;
  const std::size_t part = layout == I2sLayout::kRuns64 ? 16 : 32;
  for (std::size_t first = 0; first < kRunCols; first += 4 * part, bytes += part)
    unpack_parts(bytes, part, run + first);
}

}  // namespace

void rearrange_i2_s(I2sLayout layout, const std::uint8_t* codes, std::size_t rows, std::size_t cols,
                    std::uint8_t* out) {
  BANKAI_CHECK(cols % kRunCols == 0 && rows % i2s_layout_info(layout).rows_at_once == 0,
               "an I2_S tensor that is no whole number of runs");
  std::uint8_t run[kRunCols];
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t col = 0; col < cols; col += kRunCols, out += kRunBytes) {
      unpack_run(layout, codes, row, col, cols, run);
      for (std::size_t p = 0; p < kRunBytes; ++p)
        out[p] = static_cast<std::uint8_t>(run[p] << 6U | run[p + 32] << 4U | run[p + 64] << 2U |
                                           run[p + 96]);
    }
  }
}

}  // namespace bankai::kernels
