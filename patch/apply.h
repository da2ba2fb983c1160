// Puts the flips of a patch on weights: in memory, or as edits of a file. Sign bits only; scales
// are never touched. Reverting is applying once more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "patch/fingerprint.h"
#include "patch/flip_set.h"

namespace bankai::patch {

using MutableMatrixLookup = std::function<std::optional<MutableBitMatrixView>(TensorAddress)>;

// Complements the bits of `flips`. Errors: kMismatch if a matrix is missing, kBadInput if a flip
// lies outside its matrix; then nothing has been changed.
Status toggle_flips(const FlipSet& flips, const MutableMatrixLookup& lookup);

// A change of the bytes [offset, offset + 16) of a file by exclusive or with `mask`.
struct FileEdit {
  std::uint64_t offset = 0;
  GroupBits mask{};

  bool operator==(const FileEdit&) const = default;
};

// The edits of `file` that complement the bits of `flips`, by offset, none overlapping.
// REQUIRES: the matrices of `lookup` lie within `file`. Errors as toggle_flips.
Result<std::vector<FileEdit>> collect_edits(const FlipSet& flips, const MatrixLookup& lookup,
                                            std::span<const std::byte> file);

}  // namespace bankai::patch
