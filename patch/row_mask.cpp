#include "patch/row_mask.h"

#include <algorithm>

#include "core/bit_matrix.h"

namespace bankai::patch {
namespace {

GroupMask mask_of_flip(const Flip& flip) {
  if (flip.kind == FlipKind::kGroup) return {flip.index, ~GroupBits{}};
  constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);
  GroupMask mask{flip.index / kCols, {}};
  const std::uint32_t bit = flip.index % kCols;
  mask.bits[bit / 64] = std::uint64_t{1} << (bit % 64);
  return mask;
}

}  // namespace

RowMask mask_of_row(std::span<const Flip> flips) {
  RowMask mask;
  for (const Flip& flip : flips) {
    if (flip.kind == FlipKind::kRow)
      mask.whole_row = !mask.whole_row;
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
  return mask;
}

}  // namespace bankai::patch
