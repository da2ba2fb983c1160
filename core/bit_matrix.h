// Views of the one-bit weight matrices of a model, whatever container holds them.
//
// A matrix has `rows` outputs and `cols` inputs; every run of 128 consecutive inputs of a row is a
// group with one fp16 scale d. Weight (row, col) is +d where its bit is 1 and -d where it is 0.
// Bit j of a group is bit (j mod 8) of its byte j/8, least significant first.
// The view owns nothing. GGUF Q1_0 stores scale and bits side by side (18-byte blocks); other
// containers store them apart: the strides say where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/check.h"

namespace bankai {

inline constexpr std::size_t kGroupCols = 128;     // weights per scale group
inline constexpr std::size_t kGroupBitBytes = 16;  // bytes that hold a group's bits

template <typename Byte>
class BasicBitMatrixView {
  static_assert(std::is_same_v<std::remove_const_t<Byte>, std::byte>);

 public:
  struct Layout {
    std::size_t bits_row_stride_bytes = 0;
    std::size_t bits_group_stride_bytes = 0;
    std::size_t scale_row_stride_bytes = 0;
    std::size_t scale_group_stride_bytes = 0;
  };

  BasicBitMatrixView() = default;
  // REQUIRES: cols is a multiple of 128; `bits` and `scales` stay readable for rows × groups()
  // groups.
  BasicBitMatrixView(Byte* bits, Byte* scales, std::size_t rows, std::size_t cols, Layout layout)
      : bits_(bits), scales_(scales), rows_(rows), cols_(cols), layout_(layout) {
    BANKAI_CHECK(cols % kGroupCols == 0, "a bit matrix whose width is not a multiple of 128");
  }
  // GGUF Q1_0: blocks of 18 bytes (fp16 scale, 16 bytes of bits), rows contiguous.
  static BasicBitMatrixView from_q1_0(Byte* blocks, std::size_t rows, std::size_t cols) {
    const std::size_t row_bytes = cols / kGroupCols * 18;
    return BasicBitMatrixView(blocks + 2, blocks, rows, cols, {row_bytes, 18, row_bytes, 18});
  }

  operator BasicBitMatrixView<const std::byte>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<Byte>) {
    return {bits_,
            scales_,
            rows_,
            cols_,
            {layout_.bits_row_stride_bytes, layout_.bits_group_stride_bytes,
             layout_.scale_row_stride_bytes, layout_.scale_group_stride_bytes}};
  }

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t groups_per_row() const { return cols_ / kGroupCols; }

  // The 16 bytes of bits of a group.
  Byte* group_bits(std::size_t row, std::size_t group) const {
    BANKAI_DCHECK(row < rows_ && group < groups_per_row(), "group outside the matrix");
    return bits_ + row * layout_.bits_row_stride_bytes + group * layout_.bits_group_stride_bytes;
  }
  // The fp16 scale of a group, little-endian, 2 bytes, unaligned.
  const std::byte* group_scale(std::size_t row, std::size_t group) const {
    BANKAI_DCHECK(row < rows_ && group < groups_per_row(), "group outside the matrix");
    return scales_ + row * layout_.scale_row_stride_bytes +
           group * layout_.scale_group_stride_bytes;
  }

  bool bit(std::size_t row, std::size_t col) const {
    const std::byte byte = group_bits(row, col / kGroupCols)[col % kGroupCols / 8];
    return ((byte >> (col % 8)) & std::byte{1}) != std::byte{0};
  }

  void flip_bit(std::size_t row, std::size_t col) const requires(!std::is_const_v<Byte>) {
    group_bits(row, col / kGroupCols)[col % kGroupCols / 8] ^= std::byte{1} << (col % 8);
  }
  void flip_group(std::size_t row, std::size_t group) const requires(!std::is_const_v<Byte>) {
    Byte* bits = group_bits(row, group);
    for (std::size_t i = 0; i < kGroupBitBytes; ++i) bits[i] ^= std::byte{0xff};
  }
  void flip_row(std::size_t row) const requires(!std::is_const_v<Byte>) {
    for (std::size_t group = 0; group < groups_per_row(); ++group) flip_group(row, group);
  }

 private:
  Byte* bits_ = nullptr;
  Byte* scales_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  Layout layout_;
};

using BitMatrixView = BasicBitMatrixView<const std::byte>;
using MutableBitMatrixView = BasicBitMatrixView<std::byte>;

}  // namespace bankai
