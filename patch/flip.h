// One flip: the complement of a run of sign bits of one row of one weight matrix.
// Flips combine by exclusive or: the same flip twice is no flip, and a row flip together with a
// group flip of the same row complements the row without that group.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "core/tensor_address.h"

namespace bankai::patch {

// The numbers order the flips of a row; files state the kind in their own way.
enum class FlipKind : std::uint8_t {
  kRow = 0,    // all bits of the row
  kGroup = 1,  // the 128 bits of one scale group: columns 128·index … 128·index + 127
  kBit = 2,    // one bit: column `index`
};

struct Flip {
  TensorAddress tensor;
  std::uint32_t row = 0;
  FlipKind kind = FlipKind::kRow;
  std::uint32_t index = 0;  // group (kGroup) or column (kBit); 0 for kRow

  // The canonical order: tensor, row, kind, index.
  auto operator<=>(const Flip&) const = default;
};

inline Flip row_flip(TensorAddress tensor, std::uint32_t row) {
  return {tensor, row, FlipKind::kRow, 0};
}
inline Flip group_flip(TensorAddress tensor, std::uint32_t row, std::uint32_t group) {
  return {tensor, row, FlipKind::kGroup, group};
}
inline Flip bit_flip(TensorAddress tensor, std::uint32_t row, std::uint32_t col) {
  return {tensor, row, FlipKind::kBit, col};
}

// "layer 3 gate row 17", "layer 3 gate row 17 group 2", "layer 3 gate row 17 column 300".
std::string to_string(const Flip& flip);

// What any patch may address, whatever its model. The products stay below 2^63, so that positions
// in the index space of a whole patch fit 64 bits.
inline constexpr std::uint32_t kMaxLayers = 1U << 12U;
inline constexpr std::uint32_t kMaxRows = 1U << 24U;  // per matrix
inline constexpr std::uint32_t kMaxCols = 1U << 24U;  // per matrix, a multiple of 128
inline constexpr std::size_t kMaxFlips = std::size_t{1} << 24U;

}  // namespace bankai::patch
