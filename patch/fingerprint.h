// Which weights a patch was made for: hashes of the logical content of matrices, the same for every
// container (GGUF, safetensors, memory) that holds the same weights.
#pragma once

#include <optional>
#include <span>

#include "core/result.h"
#include "core/sha256.h"
#include "patch/patch.h"
#include "patch/weight_view.h"

namespace bankai::patch {

// SHA-256 over: rows and columns as 8-byte little-endian numbers; then of a 1-bit matrix the bits
// of all groups, 16 bytes each (bit j of a group is bit j mod 8 of byte j/8), row by row; and the
// fp16 scales of all groups, 2 bytes each, row by row. Of a ternary matrix the codes, 2 bits each
// (code j of a row is bits 2 (j mod 4) and the one above of byte j/4), row by row; and for every 64
// columns the fp16 scale of their block, 2 bytes each, row by row, or the 4 bytes of the scale of
// the whole matrix. With `flips` (canonical, of this matrix, within its shape): the content after
// those flips. Cost: reads the matrix once.
Sha256Digest hash_content(const WeightView& matrix, std::span<const Flip> flips = {});

// The first 16 bytes of SHA-256 over, for every tensor in order: layer and projection number as
// 8-byte little-endian numbers, then its content hash.
BaseHash combine_contents(const ContentTable& contents);

// Records in `patch` shapes and contents of the matrices that it touches, and brings its flips to
// the canonical form for these shapes. Errors: kMismatch if a matrix is missing, kBadInput if a
// flip lies outside.
Status bind_to_base(Patch& patch, const MatrixLookup& lookup);

enum class BaseState {
  kUnbound,  // the patch names no base
  kBase,     // the weights are those that the patch was made for
  kApplied,  // they are those with the patch applied
  kOther,    // neither
};

struct BaseCheck {
  BaseState state = BaseState::kUnbound;
  // For kOther, where the patch has a hash for each matrix: the first that is neither.
  std::optional<TensorAddress> first_different;
};

// Compares the weights, with the flips `pending` applied to them, to the base of `patch`. Errors:
// kMismatch if the model lacks a matrix or has another shape or type, kBadInput if a flip lies
// outside.
Result<BaseCheck> check_base(const Patch& patch, const MatrixLookup& lookup,
                             const FlipSet& pending = {});

enum class Direction { kApply, kRevert };

// An error (kMismatch) unless `check` allows to apply or revert `patch`; an unbound patch is
// allowed.
Status require_state(const Patch& patch, const BaseCheck& check, Direction direction);

}  // namespace bankai::patch
