// Views of the ternary weight matrices of a model: rows of blocks in one of the layouts of
// core/trit_blocks.h. The view owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/bit_matrix.h"
#include "core/check.h"
#include "core/trit_blocks.h"

namespace bankai {

template <typename Byte>
class BasicTritMatrixView {
  static_assert(std::is_same_v<std::remove_const_t<Byte>, std::byte>);

 public:
  BasicTritMatrixView() = default;
  // `matrix_scale`: the 4 bytes (IEEE single) that scale the whole matrix where blocks have no
  // scales, else nullptr. REQUIRES: cols is a multiple of 128 and of layout.block_cols; `blocks`
  // stay readable for `rows` rows, one behind the other.
  BasicTritMatrixView(const TritLayout& layout, Byte* blocks, std::size_t rows, std::size_t cols,
                      const std::byte* matrix_scale = nullptr)
      : layout_(layout), blocks_(blocks), matrix_scale_(matrix_scale), rows_(rows), cols_(cols) {
    BANKAI_CHECK(cols % kGroupCols == 0 && cols % layout.block_cols == 0,
                 "a ternary matrix whose width is not a multiple of 128 and of its blocks");
  }

  operator BasicTritMatrixView<const std::byte>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<Byte>) {
    return {layout_, blocks_, rows_, cols_, matrix_scale_};
  }

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t groups_per_row() const { return cols_ / kGroupCols; }
  std::size_t blocks_per_row() const { return cols_ / layout_.block_cols; }
  std::size_t row_bytes() const { return blocks_per_row() * layout_.block_bytes; }
  const TritLayout& layout() const { return layout_; }
  const std::byte* matrix_scale() const { return matrix_scale_; }

  Byte* block(std::size_t row, std::size_t block) const {
    BANKAI_DCHECK(row < rows_ && block < blocks_per_row(), "block outside the matrix");
    return blocks_ + row * row_bytes() + block * layout_.block_bytes;
  }
  // The codes of a row (cols).
  void read_codes(std::size_t row, std::uint8_t* codes) const {
    for (std::size_t i = 0; i < blocks_per_row(); ++i)
      decode_trits(layout_, block(row, i), codes + i * layout_.block_cols);
  }

 private:
  TritLayout layout_;
  Byte* blocks_ = nullptr;
  const std::byte* matrix_scale_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
};

using TritMatrixView = BasicTritMatrixView<const std::byte>;
using MutableTritMatrixView = BasicTritMatrixView<std::byte>;

}  // namespace bankai
