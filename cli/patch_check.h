// Whether a patch belongs to a model: the one rule for programs that run it or pack it.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"
#include "patch/fingerprint.h"

namespace bankai::cli {

using PatchRemark = std::function<void(const std::string&)>;

// The patch must have been made for the weights of `lookup` as they are, or with the flips `before`
// on them. `remark` hears of a patch that names no base: then only shapes are checked. Errors:
// kMismatch for another base (with the first matrix that differs, where the patch can tell), for a
// patch that the weights have already, and for a matrix that is missing; kBadInput for a flip
// outside its matrix. REQUIRES: `before` lies inside the matrices.
Status check_patch_base(const patch::Patch& patch, const patch::FlipSet& before,
                        const patch::MatrixLookup& lookup, const PatchRemark& remark);

}  // namespace bankai::cli
