// From a parameter-golf checkpoint to a model that runs: sizes follow from the tensors' shapes,
// rules from the family of the file or from the caller.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"
#include "model/golf_model.h"
#include "packer/golf_checkpoint.h"

namespace bankai::packer {

// Which scale the matrices of PR #126's files get.
enum class GolfAlpha : std::uint8_t {
  kStored,     // the file's
  kRederived,  // max(mean |alpha · t|, 1e-8), as its own reloading code computes anew: a bug that
               // makes every layer smaller by the share of its zeros
};

// `settings` are those of model::set_golf_parameter and win over the family's values. Errors:
// kBadInput for tensors that are missing or do not fit each other, kUnsupported for tensors that
// belong to no part of the architecture, kUsage for bad settings and for kRederived with a file
// that has group scales.
Result<model::GolfModel> build_golf_model(const GolfCheckpoint& checkpoint, GolfAlpha alpha,
                                          std::span<const std::string> settings);

}  // namespace bankai::packer
