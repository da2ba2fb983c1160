// One flip: a change of a run of weights of one row of one matrix that can be undone.
//
// A row or group flip negates weights: it complements the sign bits of a 1-bit matrix and turns the
// trits t of a ternary one into −t. A bit flip negates one weight of a 1-bit matrix. A step adds 1
// (up) or −1 (down) modulo 3 to one trit of a ternary matrix: −1 → 0 → +1 → −1.
//
// Negations combine by exclusive or: the same twice is none, and a row flip together with a group
// flip of the same row negates the row without that group. Steps on one trit add up modulo 3. Among
// the flips of one patch all negations act before all steps, so a trit t becomes a · t + b modulo 3
// with a = ±1 by the negations and b by the steps.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/tensor_address.h"

namespace bankai::patch {

// The numbers order the flips of a row; files state the kind in their own way.
enum class FlipKind : std::uint8_t {
  kRow = 0,     // all weights of the row
  kGroup = 1,   // 128 of them: columns 128·index … 128·index + 127
  kBit = 2,     // one bit: column `index`
  kStepUp = 3,  // one trit: column `index`
  kStepDown = 4,
};
inline constexpr std::size_t kNumFlipKinds = 5;

constexpr bool is_step(FlipKind kind) {
  return kind == FlipKind::kStepUp || kind == FlipKind::kStepDown;
}
// Does `index` name a column?
constexpr bool is_single(FlipKind kind) { return kind == FlipKind::kBit || is_step(kind); }

struct Flip {
  TensorAddress tensor;
  std::uint32_t row = 0;
  FlipKind kind = FlipKind::kRow;
  std::uint32_t index = 0;  // group, column, or 0 for kRow

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
inline Flip step_up(TensorAddress tensor, std::uint32_t row, std::uint32_t col) {
  return {tensor, row, FlipKind::kStepUp, col};
}
inline Flip step_down(TensorAddress tensor, std::uint32_t row, std::uint32_t col) {
  return {tensor, row, FlipKind::kStepDown, col};
}

// "layer 3 gate row 17", "layer 3 gate row 17 group 2", "layer 3 gate row 17 column 300",
// "layer 3 gate row 17 column 300 up".
std::string to_string(const Flip& flip);

// What any patch may address, whatever its model. The products stay below 2^63, so that positions
// in the index space of a whole patch fit 64 bits.
inline constexpr std::uint32_t kMaxLayers = 1U << 12U;
inline constexpr std::uint32_t kMaxRows = 1U << 24U;  // per matrix
inline constexpr std::uint32_t kMaxCols = 1U << 24U;  // per matrix, a multiple of 128
inline constexpr std::size_t kMaxFlips = std::size_t{1} << 24U;

}  // namespace bankai::patch
