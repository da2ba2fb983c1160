#include "patch/row_mask.h"

#include <algorithm>

#include "core/bit_matrix.h"

namespace bankai::patch {
namespace {

constexpr std::uint8_t kUp = 1;
constexpr std::uint8_t kDown = 2;  // −1 modulo 3

GroupMask mask_of_flip(const Flip& flip) {
  if (flip.kind == FlipKind::kGroup) return {flip.index, ~GroupBits{}};
  constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);
  GroupMask mask{flip.index / kCols, {}};
  const std::uint32_t bit = flip.index % kCols;
  mask.bits[bit / 64] = std::uint64_t{1} << (bit % 64);
  return mask;
}

// Sorts steps by column and adds up those on the same trit.
void add_up(std::vector<TritStep>& steps) {
  std::sort(steps.begin(), steps.end(),
            [](const TritStep& a, const TritStep& b) { return a.col < b.col; });
  std::size_t kept = 0;
  for (std::size_t begin = 0, end = 0; begin < steps.size(); begin = end) {
    unsigned sum = 0;
    for (; end < steps.size() && steps[end].col == steps[begin].col; ++end)
      sum = (sum + steps[end].add) % 3;
    if (sum != 0) steps[kept++] = {steps[begin].col, static_cast<std::uint8_t>(sum)};
  }
  steps.resize(kept);
}

}  // namespace

RowMask mask_of_row(std::span<const Flip> flips) {
  RowMask mask;
  for (const Flip& flip : flips) {
    if (flip.kind == FlipKind::kRow)
      mask.whole_row = !mask.whole_row;
    else if (is_step(flip.kind))
      mask.steps.push_back({flip.index, flip.kind == FlipKind::kStepUp ? kUp : kDown});
    else
      mask.groups.push_back(mask_of_flip(flip));
  }
  std::sort(mask.groups.begin(), mask.groups.end(),
            [](const GroupMask& a, const GroupMask& b) { return a.group < b.group; });
  std::size_t kept = 0;
  for (const GroupMask& entry : mask.groups) {
    if (kept > 0 && mask.groups[kept - 1].group == entry.group) {
      mask.groups[kept - 1].bits[0] ^= entry.bits[0];
      mask.groups[kept - 1].bits[1] ^= entry.bits[1];
    } else {
      mask.groups[kept++] = entry;
    }
  }
  mask.groups.resize(kept);
  add_up(mask.steps);
  return mask;
}

bool is_negated(const RowMask& mask, std::uint32_t col) {
  constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);
  const auto entry = std::lower_bound(
      mask.groups.begin(), mask.groups.end(), col / kCols,
      [](const GroupMask& group, std::uint32_t wanted) { return group.group < wanted; });
  if (entry == mask.groups.end() || entry->group != col / kCols) return mask.whole_row;
  const std::uint32_t bit = col % kCols;
  return mask.whole_row != ((entry->bits[bit / 64] >> (bit % 64) & 1U) != 0);
}

std::optional<std::uint32_t> change_codes(const RowMask& mask, std::span<std::uint8_t> codes) {
  constexpr std::uint8_t kNoTrit = 3;
  std::optional<std::uint32_t> first;
  const auto touch = [&](std::uint32_t col, auto change) {
    if (codes[col] < kNoTrit)
      codes[col] = static_cast<std::uint8_t>(change(codes[col]));
    else
      first = std::min(first.value_or(col), col);
  };
  for_each_group(mask, static_cast<std::uint32_t>(codes.size() / kGroupCols),
                 [&](std::uint32_t group, const GroupBits&) {
                   constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);
                   for (std::uint32_t col = group * kCols; col < (group + 1) * kCols; ++col)
                     touch(col, [](unsigned code) { return 2 - code; });
                 });
  for (const TritStep& step : mask.steps)
    touch(step.col, [&](unsigned code) { return (code + step.add) % 3; });
  return first;
}

}  // namespace bankai::patch
