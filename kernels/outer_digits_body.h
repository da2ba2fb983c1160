// KernelTable::add_digit_products for the integer registers R of an instruction set.
//
// R::Columns holds four tokens' digits of R::kColumns columns, R::Row those of one row in every
// column; R::multiply_add adds the products of each column's four. A tile of R::kRows rows ×
// R::kSets runs of columns keeps its sums in registers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace {

template <typename R, std::size_t kRows>
void multiply_digit_tile(const std::int8_t* a, std::size_t a_stride, const float* a_scales,
                         const std::int8_t* b, std::size_t b_cols, const float* b_scales,
                         std::size_t num_sets, std::size_t num_quads, bool adds, float* out,
                         std::size_t out_stride) {
  constexpr std::size_t kSets = R::kSets;
  typename R::Sums sums[kRows][kSets];
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t set = 0; set < kSets; ++set)
      sums[r][set] = R::start(a + r * a_stride, num_quads);
  const auto add_quads = [&](auto sets) {
    for (std::size_t quad = 0; quad < num_quads; ++quad) {
      typename R::Columns columns[kSets];
      for (std::size_t set = 0; set < sets(); ++set)
        columns[set] = R::load(b + 4 * (quad * b_cols + set * R::kColumns));
      for (std::size_t r = 0; r < kRows; ++r) {
        const typename R::Row row = R::broadcast(a + r * a_stride + 4 * quad);
        for (std::size_t set = 0; set < sets(); ++set)
          sums[r][set] = R::multiply_add(sums[r][set], columns[set], row);
      }
    }
  };
  if (num_sets == kSets)
    add_quads([]() { return kSets; });
  else
    add_quads([num_sets]() { return num_sets; });
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t set = 0; set < num_sets; ++set)
      R::add_scaled(sums[r][set], a_scales[r], b_scales + set * R::kColumns, adds,
                    out + r * out_stride + set * R::kColumns);
}

template <typename R>
void add_digit_products(const std::int8_t* a, std::size_t a_stride, const float* a_scales,
                        std::size_t rows, const std::int8_t* b, std::size_t b_cols,
                        const float* b_scales, std::size_t cols, std::size_t tokens, bool adds,
                        float* out, std::size_t out_stride) {
  constexpr std::size_t kTileCols = R::kSets * R::kColumns;
  const std::size_t num_quads = (tokens + 3) / 4;
  for (std::size_t col = 0; col < cols; col += kTileCols) {
    const std::size_t left = (cols - col) / R::kColumns;
    const std::size_t num_sets = left < R::kSets ? left : R::kSets;
    std::size_t row = 0;
    const auto multiply = [&](auto tile, std::size_t count) {
      tile(a + row * a_stride, a_stride, a_scales + row, b + 4 * col, b_cols, b_scales + col,
           num_sets, num_quads, adds, out + row * out_stride + col, out_stride);
      row += count;
    };
    while (row + R::kRows <= rows) multiply(multiply_digit_tile<R, R::kRows>, R::kRows);
    while (row < rows) multiply(multiply_digit_tile<R, 1>, 1);
  }
}

}  // namespace
}  // namespace bankai::kernels
