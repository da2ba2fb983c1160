// The probabilities of a digit that depend on its place: those of the row and of the column it is
// in, and of the digits decoded before it. For trits the digits 0, 1, 2 stand for −1, 0, +1, for
// bits 0 and 1 for themselves; either way what is modelled first is whether the digit is 1.
//
//   P(digit = 1) = σ(t / 32),  t = offset[context] + step · (row class + slope · column class)
//
// The context is made of the digit to the left, the one above and the one left of the left one; in
// the first column of a group of 128 there is none to the left. Of the other two digits of a trit,
// plus[context] / 256 is the share of +1. Everything is in integers: one table of 2049
// probabilities in units of 2^-16.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

inline constexpr unsigned kContexts = 24;
inline constexpr unsigned kContextPrecision = 16;
inline constexpr int kMaxOffset = 384;
inline constexpr int kMaxClassShift = 128;  // of rows and of columns: |step · class|
// How strongly a row follows its columns, in halves; the code of 1 is what rows without one have.
inline constexpr std::array<std::int8_t, 8> kSlopes = {-2, 0, 1, 2, 3, 4, 6, 8};
inline constexpr std::uint8_t kPlainSlope = 3;
inline constexpr int kMaxLogit = kMaxOffset + kMaxClassShift + 4 * kMaxClassShift;

// The left part of a context: 0 to 2 for the digit to the left, 3 in the first column of a group,
// plus 12 if the one before it is 1 (in the first column: never).
inline constexpr unsigned kNoLeft = 3;
constexpr unsigned left_context(unsigned left, unsigned left_of_left) {
  return left + (left_of_left == 1 ? 12U : 0U);
}
constexpr unsigned above_context(unsigned above) { return 4 * above; }
// What stands above the first row of a block.
constexpr std::uint8_t digit_above_first_row(bool is_trits) { return is_trits ? 1 : 0; }

// 2^16 · σ(t / 32) for t + kMaxLogit as index, rounded to nearest, within 1 and 2^16 − 2.
const std::array<std::uint16_t, 2 * kMaxLogit + 1>& probability_table();

// The interval of +1, given the probability of 0, both in 2^-16; −1 has the rest, at least 1.
inline std::uint32_t frequency_of_plus(std::uint32_t zero, std::uint32_t plus_share) {
  return 1 + ((65536 - zero - 2) * plus_share >> 8U);
}

struct ContextModel {
  bool is_trits = true;
  bool has_row_classes = false;
  bool has_col_classes = false;
  bool has_slopes = false;
  unsigned step_code = 0;  // step = 4 << step_code
  std::array<std::int16_t, kContexts> offset{};
  std::array<std::uint8_t, kContexts> plus{};
  std::vector<std::int8_t> col_classes;  // one per column, or empty

  int step() const { return 4 << step_code; }
  int max_class() const { return kMaxClassShift / step(); }
};

// The model as bytes, the shared part of a payload.
std::vector<std::byte> write_model(const ContextModel& model);
// kBadInput for damaged bytes, and for classes where `cols` is 0 (a content without whole rows).
Result<ContextModel> read_model(std::span<const std::byte> bytes, bool is_trits, std::size_t cols);

// A list of symbols below `num_symbols`: a frequency table and the coded symbols.
std::vector<std::byte> write_list(std::span<const std::uint8_t> symbols, std::size_t num_symbols);
Result<std::vector<std::uint8_t>> read_list(std::span<const std::byte> bytes, std::size_t count,
                                            std::size_t num_symbols);
// Classes between −max_class and max_class, as the list of the symbols class + max_class.
std::vector<std::byte> write_classes(std::span<const std::int8_t> classes, int max_class);
Result<std::vector<std::int8_t>> read_classes(std::span<const std::byte> bytes, std::size_t count,
                                              int max_class);

// slope · step · column class of every column, for each of the slopes that the model uses.
class ColumnShifts {
 public:
  ColumnShifts(const ContextModel& model, std::size_t cols);
  const std::int16_t* of_slope(std::uint8_t code) const { return shifts_[code].data(); }

 private:
  std::array<std::vector<std::int16_t>, kSlopes.size()> shifts_;
};

}  // namespace bankai::packer
