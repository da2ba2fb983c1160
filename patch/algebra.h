// Patches as a group under exclusive or: composition, comparison, and the difference of two models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "patch/patch.h"

namespace bankai::patch {

// All patches one after the other, in any order. The result is bound to a base when all of them are
// bound matrix by matrix, or agree in touched matrices and hash; else it is unbound.
// Errors (kMismatch): two patches state different shapes or contents of the same matrix.
Result<Patch> compose(std::span<const Patch> patches);

// What two patches share in one tensor.
struct TensorOverlap {
  TensorAddress tensor;
  std::size_t flips_first = 0;
  std::size_t flips_second = 0;
  std::size_t common_flips = 0;   // the same flip in both: these cancel when composed
  std::uint64_t common_bits = 0;  // bits complemented by both, however written
};

// For every tensor that either patch touches, in order. Rows of unknown width count as in
// count_flipped_bits. Errors (kMismatch): the patches state different shapes.
Result<std::vector<TensorOverlap>> overlap(const Patch& first, const Patch& second);

// Appends the canonical flips that turn `base` into `target`. Errors: kMismatch if shapes or scales
// differ (a patch changes sign bits only); kUnsupported if `out` would hold more than kMaxFlips.
Status diff_matrix(TensorAddress tensor, const BitMatrixView& base, const BitMatrixView& target,
                   std::vector<Flip>& out);

}  // namespace bankai::patch
