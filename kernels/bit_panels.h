// Matrices of bits as the products of bits read them: rows in panels of 8 side by side, so that a
// register holds one word of as many rows as it has lanes.
//
// A matrix of (rows, cols) bits has ceil(cols / 64) words per row, least significant bit first,
// zeros beyond cols. Word w of row r is at panels[(r / 8 · words + w) · 8 + r mod 8]; rows that are
// missing in the last panel are zeros.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {

inline constexpr std::size_t kBitPanelRows = 8;

// 64-bit words of the panels of such a matrix.
constexpr std::size_t bit_panels_words(std::size_t rows, std::size_t cols) {
  return (rows + kBitPanelRows - 1) / kBitPanelRows * kBitPanelRows * ((cols + 63) / 64);
}

// row_words (rows, ceil(cols / 64)) → panels (bit_panels_words(rows, cols)).
void pack_bit_panels(const std::uint64_t* row_words, std::size_t rows, std::size_t cols,
                     std::uint64_t* panels);

}  // namespace bankai::kernels
