#include "patch/patch.h"

#include <algorithm>

namespace bankai::patch {
namespace {

constexpr std::uint32_t kAssumedCols = 4096;

// Bits of one row of `cols` columns: each group counts 128 or 0 by the row flip, but for those that
// deviate from it.
std::uint64_t count_row(const RowMask& mask, std::uint32_t cols) {
  std::uint64_t bits = mask.whole_row ? cols : 0;
  for (const GroupMask& entry : mask.groups) {
    const auto ones = static_cast<std::uint64_t>(count_ones(entry.bits));
    bits = mask.whole_row ? bits - ones : bits + ones;
  }
  return bits;
}

}  // namespace

TensorShape assumed_shape(std::span<const Flip> flips) {
  constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);
  std::uint32_t num_groups = kAssumedCols / kCols;
  for (const Flip& flip : flips) {
    if (flip.kind == FlipKind::kGroup) num_groups = std::max(num_groups, flip.index + 1);
    if (is_single(flip.kind)) num_groups = std::max(num_groups, flip.index / kCols + 1);
  }
  return {kMaxRows, num_groups * kCols};
}

BitCount count_flipped_bits(const FlipSet& flips, const ShapeTable& shapes) {
  BitCount total;
  for (const TensorAddress tensor : flips.tensors()) {
    const std::span<const Flip> of_tensor = flips.of(tensor);
    const auto known = shapes.find(tensor);
    const TensorShape shape = known != shapes.end() ? known->second : assumed_shape(of_tensor);
    for_each_row(of_tensor, [&](std::uint32_t, std::span<const Flip> of_row) {
      const RowMask mask = mask_of_row(of_row);
      if (mask.whole_row && known == shapes.end()) total.exact = false;
      total.bits += count_row(mask, shape.cols);
      for (const TritStep& step : mask.steps) total.bits += is_negated(mask, step.col) ? 0U : 1U;
    });
  }
  return total;
}

bool shapes_known(const FlipSet& flips, const ShapeTable& shapes) {
  const std::vector<TensorAddress> touched = flips.tensors();
  return std::all_of(touched.begin(), touched.end(),
                     [&](TensorAddress tensor) { return shapes.contains(tensor); });
}

void drop_untouched(Base& base, const FlipSet& flips) {
  const auto untouched = [&](const auto& entry) { return flips.of(entry.first).empty(); };
  std::erase_if(base.shapes, untouched);
  if (std::erase_if(base.contents, untouched) > 0) base.hash.reset();
}

}  // namespace bankai::patch
