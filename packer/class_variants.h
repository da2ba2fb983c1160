// Which of the fitted classes of rows and columns pay for themselves, and in which steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packer/content.h"
#include "packer/context_model.h"

namespace bankai::packer {

// How often digits were 1, and how often not.
struct Tally {
  std::uint64_t ones = 0;
  std::uint64_t others = 0;
  void operator+=(const Tally& tally) {
    ones += tally.ones;
    others += tally.others;
  }
};

// Tallies per shift, in 1/32 of a logit, of which only even ones occur.
inline constexpr int kMaxShift = kMaxLogit - kMaxOffset;
inline constexpr std::size_t kShifts = static_cast<std::size_t>(kMaxShift + 1);
constexpr std::size_t shift_index(int shift) {
  return static_cast<std::size_t>((shift + kMaxShift) / 2);
}
using ShiftTallies = std::array<Tally, kShifts>;

// Bits, times 2^16, of all digits if `offset` is added to their shifts.
std::uint64_t cost_at(const ShiftTallies& tallies, int offset);
// The offset of least cost.
int best_offset(const ShiftTallies& tallies);

inline constexpr int kFinest = 32;  // largest class of the finest step, 1/8 of a logit
inline constexpr int kFinestStep = kMaxClassShift / kFinest;
inline constexpr std::size_t kClasses = 2 * kFinest + 1;

template <typename T>
using PerClass = std::array<T, kClasses>;
constexpr std::size_t class_index(int finest) { return static_cast<std::size_t>(finest + kFinest); }

inline std::uint32_t probability(int t) {
  return probability_table()[static_cast<std::size_t>(t + kMaxLogit)];
}

// Classes in the finest step, and slope codes; all slopes 1 if there are none.
struct FinestClasses {
  std::vector<std::int8_t> rows;
  std::vector<std::int8_t> cols;
  std::vector<std::uint8_t> slopes;

  int slope(std::size_t row) const { return slopes.empty() ? 2 : kSlopes[slopes[row]]; }
};

// How many columns (or rows) have each class.
PerClass<std::uint32_t> histogram(std::span<const std::int8_t> classes);
// Digits of a row that are 1, per class of their column.
PerClass<std::uint32_t> row_ones(const std::uint8_t* digits, std::span<const std::int8_t> cols);
// A class of the finest step in the coarser step of a code: to nearest, halves away from 0.
int coarser(int finest, unsigned step_code);

// Which classes to use, and how fine.
struct ClassVariant {
  const FinestClasses* classes = nullptr;
  bool rows = false;
  bool cols = false;
  bool slopes = false;
  unsigned step_code = 0;

  int step() const { return 4 << step_code; }
};

// The variant with which the digits, without contexts, and the classes take the fewest bytes.
// `sloped` is without slopes where these promise nothing.
ClassVariant choose_variant(const ContentSource& source, int threads, const FinestClasses& plain,
                            const FinestClasses& sloped);

}  // namespace bankai::packer
