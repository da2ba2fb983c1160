// Patches as a group under composition: composition, comparison, and the difference of two models.
// Patches of 1-bit weights commute and are their own inverse; of ternary ones see patch/flip.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "patch/patch.h"
#include "patch/weight_view.h"

namespace bankai::patch {

// All patches one after the other, the first one first. The result is bound to a base when all of
// them are bound matrix by matrix, or agree in touched matrices and hash; else it is unbound.
// Errors (kMismatch): two patches state different shapes or contents of the same matrix.
Result<Patch> compose(std::span<const Patch> patches);

// What two patches share in one tensor.
struct TensorOverlap {
  TensorAddress tensor;
  std::size_t flips_first = 0;
  std::size_t flips_second = 0;
  std::size_t common_flips = 0;   // the same flip in both: negations cancel when composed
  std::uint64_t common_bits = 0;  // bits or trits touched by both, however written
};

// For every tensor that either patch touches, in order. Rows of unknown width count as in
// count_flipped_bits. Errors (kMismatch): the patches state different shapes.
Result<std::vector<TensorOverlap>> overlap(const Patch& first, const Patch& second);

// Appends flips that turn `base` into `target`: canonical ones, of trits as few as possible.
// Errors: kMismatch if types, shapes or scales differ, or a code of 3 does; kUnsupported if `out`
// would hold more than kMaxFlips.
Status diff_matrix(TensorAddress tensor, const WeightView& base, const WeightView& target,
                   std::vector<Flip>& out);

}  // namespace bankai::patch
