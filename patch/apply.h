// Puts the flips of a patch on weights: in memory, or as edits of a file. Signs and trits only;
// scales are never touched. Reverting is applying the inverse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "patch/flip_set.h"
#include "patch/row_mask.h"
#include "patch/weight_view.h"

namespace bankai::patch {

// Changes the weights. Errors: kMismatch if a matrix is missing or of another type than the flips,
// kBadInput if a flip lies outside its matrix, kUnsupported if a ternary weight that is touched has
// the code 3, or stands in a byte of base-3 digits that no writer uses, so that reverting could not
// bring it back. Then nothing has been changed.
Status toggle_flips(const FlipSet& flips, const MutableMatrixLookup& lookup);

// The errors of toggle_flips, without changing anything.
Status check_flips(const FlipSet& flips, const MatrixLookup& lookup);

// A change of the bytes [offset, offset + size_bytes) of a file by exclusive or with the first
// bytes of `mask`.
struct FileEdit {
  std::uint64_t offset = 0;
  GroupBits mask{};
  std::uint32_t size_bytes = sizeof(GroupBits);  // at most

  bool operator==(const FileEdit&) const = default;
};

// REQUIRES: `place` holds the edit's bytes.
void apply_edit(const FileEdit& edit, std::byte* place);

// The edits of `file` that put `flips` on it, by offset, none overlapping.
// REQUIRES: the matrices of `lookup` lie within `file`. Errors as toggle_flips.
Result<std::vector<FileEdit>> collect_edits(const FlipSet& flips, const MatrixLookup& lookup,
                                            std::span<const std::byte> file);

}  // namespace bankai::patch
