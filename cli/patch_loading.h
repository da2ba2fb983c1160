// Models and patches as every program that runs them loads them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "model/model.h"
#include "model/row_overlay.h"
#include "patch/flip_set.h"
#include "patch/weight_view.h"

namespace bankai::cli {

// From a GGUF file or a pack. Errors: those of open_model_file and Model::load.
Result<std::unique_ptr<model::Model>> load_model(const std::string& path,
                                                 const model::LoadOptions& options);

// Several patches, one after the other.
struct PatchStack {
  patch::FlipSet flips;
  model::RowOverlay overlay;  // what they do to the model's rows
};

// Reads the patches (names in the model's pack, or files) and checks them against the model: each
// must have been made for the model as it is, or as the patches before it leave it. `force` takes
// them whatever base they name. `remark` hears of patches that name no base. Errors name the file:
// those of read_patch; kMismatch for another base (with the first matrix that differs, where the
// patch can tell), for a patch that the file has already, and for a matrix that the model lacks;
// kBadInput for a flip outside its matrix; those of patch::check_flips.
Result<PatchStack> load_patches(std::span<const std::string> paths, const model::Model& model,
                                bool force, const std::function<void(const std::string&)>& remark);

// What the patches flip together. The same for matrices of any model, which `weights` looks up;
// `path` is the model's. Errors as load_patches.
Result<patch::FlipSet> stack_patches(std::span<const std::string> paths, const std::string& path,
                                     const patch::MatrixLookup& weights, bool force,
                                     const std::function<void(const std::string&)>& remark);

}  // namespace bankai::cli
