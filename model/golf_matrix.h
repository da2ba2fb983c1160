// A matrix of a parameter-golf model, kept as narrow as its numbers allow: trits in 2 bits, signs
// in 1, numbers in half precision if all of them are exact there, else in single precision.
//
// A product with it is a sum of its columns, weighted by the activations: the same sum that
// attention makes of values, so that the ops for values in any of these forms are its kernels
// (KernelTable::packed_values, attention_values).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"

namespace bankai::model {

// A matrix as its file has it: numbers, or trits with scales.
struct GolfWeights {
  std::size_t rows = 0;
  std::size_t cols = 0;
  double scale = 1.0;               // of the whole matrix
  std::vector<float> numbers;       // (rows, cols), or empty: then
  std::vector<std::int8_t> trits;   // (rows, cols): −1, 0, +1
  std::vector<float> group_scales;  // (rows, groups of a row) of trits; empty: 1
  std::size_t group = 0;            // columns that share one of them

  std::size_t groups() const { return group == 0 ? 0 : (cols + group - 1) / group; }
  // `count` rows from `first` on.
  GolfWeights slice(std::size_t first, std::size_t count) const;
};

class GolfMatrix {
 public:
  static constexpr std::size_t kPanelRows = 128;  // that a product takes together

  GolfMatrix() = default;  // there is none
  explicit GolfMatrix(const GolfWeights& weights);

  bool empty() const { return rows_ == 0; }
  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  double scale() const { return scale_; }  // of the whole matrix
  std::size_t panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }
  // Of the weights and group scales.
  std::size_t bytes() const;
  // Columns are stored in whole runs of 16 rows: the elements that fill them up.
  static std::size_t padding(std::size_t rows, std::size_t cols);
  // An element, with all its scales.
  double value(std::size_t row, std::size_t col) const;

  // out[t · rows + r] = factors_t · Σ_c weight(r, c) · x[t · cols + c], the matrix scale included,
  // for the rows r of a panel. Sums of runs of up to 128 columns of a group (of all columns, if
  // there are no groups), the first from the group's beginning, are single precision, columns
  // ascending by fma; they are added up in double precision. `sums` is scratch memory.
  void multiply(const kernels::KernelTable& table, std::size_t panel, const float* x,
                const double* factors, std::size_t tokens, std::vector<float>& sums,
                double* out) const;

 private:
  void pack(const GolfWeights& weights);
  std::size_t panel_width(std::size_t panel) const;  // rows in whole runs of 16
  std::size_t column_bytes(std::size_t panel) const;
  const std::uint8_t* column(std::size_t panel, std::size_t col) const;
  // sums (tokens, panel_width) += the columns [first, first + count), weighted by x.
  void add_columns(const kernels::KernelTable& table, std::size_t panel, std::size_t first,
                   std::size_t count, const float* x, std::size_t tokens, float* sums) const;

  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  double scale_ = 1.0;
  std::size_t bits_ = 0;                   // of an element
  std::size_t group_ = 0;                  // columns that share a scale; all, if there are none
  std::vector<std::uint8_t> columns_;      // (panels, cols, panel_width) elements
  std::vector<float> group_scales_;        // (groups, rows), or empty: 1
  std::vector<float> code_scale_, least_;  // (run): element = code · scale + least
};

}  // namespace bankai::model
