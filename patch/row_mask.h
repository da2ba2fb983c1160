// What the flips of one row do: the weights that they negate, as a row flag and the groups that
// deviate from it, and the trits that they step.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "patch/flip.h"

namespace bankai::patch {

// The 128 bits of a group: column j of the group is bit (j mod 64) of word j/64, which are the 16
// bytes of BitMatrixView::group_bits on a little-endian machine.
using GroupBits = std::array<std::uint64_t, 2>;

inline GroupBits operator~(const GroupBits& bits) { return {~bits[0], ~bits[1]}; }
inline int count_ones(const GroupBits& bits) {
  return std::popcount(bits[0]) + std::popcount(bits[1]);
}

struct GroupMask {
  std::uint32_t group = 0;
  GroupBits bits{};
};

struct TritStep {
  std::uint32_t col = 0;
  std::uint8_t add = 0;  // 1 or 2, modulo 3
};

struct RowMask {
  bool whole_row = false;
  std::vector<GroupMask> groups;  // by group, each once: what differs from `whole_row`
  std::vector<TritStep> steps;    // by column, each once; they act after the negations
};

// `flips`: all of one row, in any order, repetitions cancelling.
RowMask mask_of_row(std::span<const Flip> flips);

// Is the weight of a column negated?
bool is_negated(const RowMask& mask, std::uint32_t col);

// What the flips of a row do to its codes (core/trit_blocks.h). Returns the first column that they
// touch whose code is 3, which is no trit and stays; nullopt if there is none. REQUIRES: the mask
// has no bit flips and lies within the codes.
std::optional<std::uint32_t> change_codes(const RowMask& mask, std::span<std::uint8_t> codes);

// Calls visit(group, bits) for every group of a row of `num_groups` groups in which a bit is set.
// REQUIRES: mask.groups lies within num_groups.
template <typename Visit>
void for_each_group(const RowMask& mask, std::uint32_t num_groups, Visit visit) {
  if (!mask.whole_row) {
    for (const GroupMask& entry : mask.groups)
      if (entry.bits != GroupBits{}) visit(entry.group, entry.bits);
    return;
  }
  auto entry = mask.groups.begin();
  for (std::uint32_t group = 0; group < num_groups; ++group) {
    GroupBits bits = ~GroupBits{};
    if (entry != mask.groups.end() && entry->group == group) bits = ~(entry++)->bits;
    if (bits != GroupBits{}) visit(group, bits);
  }
}

// Calls visit(row, flips of the row) for each run of flips of the same row. REQUIRES: `flips` is
// sorted and belongs to one tensor.
template <typename Visit>
void for_each_row(std::span<const Flip> flips, Visit visit) {
  for (std::size_t begin = 0, end = 0; begin < flips.size(); begin = end) {
    while (end < flips.size() && flips[end].row == flips[begin].row) ++end;
    visit(flips[begin].row, flips.subspan(begin, end - begin));
  }
}

}  // namespace bankai::patch
