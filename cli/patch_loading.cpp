#include "cli/patch_loading.h"

#include <utility>
#include <vector>

#include "bfs/overlay.h"
#include "core/format.h"
#include "patch/fingerprint.h"
#include "patch/in_place_edit.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

using patch::BaseState;
using patch::FlipSet;

patch::MatrixLookup lookup_in(const model::Model& model) {
  return [&model](TensorAddress address) { return model.bit_matrix(address); };
}

// The shapes that the model gives the matrices of `flips`.
Result<patch::ShapeTable> shapes_of(std::span<const patch::Flip> flips, const model::Model& model) {
  patch::ShapeTable shapes;
  for (const patch::Flip& flip : flips) {
    if (shapes.contains(flip.tensor)) continue;
    const std::optional<BitMatrixView> matrix = model.bit_matrix(flip.tensor);
    if (!matrix)
      return make_error(ErrorCode::kMismatch, "the model has no 1-bit matrix '%s'",
                        to_string(flip.tensor).c_str());
    shapes[flip.tensor] = {static_cast<std::uint32_t>(matrix->rows()),
                           static_cast<std::uint32_t>(matrix->cols())};
  }
  return shapes;
}

// REQUIRES: `before` lies inside the model's matrices.
Status check_base_of(const patch::Patch& patch, const FlipSet& before, const model::Model& model,
                     const std::function<void(const std::string&)>& remark) {
  BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck alone, patch::check_base(patch, lookup_in(model)));
  if (alone.state == BaseState::kUnbound)
    remark("patch " + quoted(patch.name) + " names no base; only its shapes were checked");
  if (alone.state == BaseState::kUnbound || alone.state == BaseState::kBase) return {};
  if (!before.empty()) {
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck on_top,
                            patch::check_base(patch, lookup_in(model), before));
    if (on_top.state == BaseState::kBase) return {};
  }
  return patch::require_state(patch, alone, patch::Direction::kApply);
}

Result<FlipSet> add_patch(const patch::Patch& patch, const FlipSet& before,
                          const model::Model& model, bool force,
                          const std::function<void(const std::string&)>& remark) {
  if (!force) BANKAI_RETURN_IF_ERROR(check_base_of(patch, before, model, remark));
  std::vector<patch::Flip> flips = before.flips();
  flips.insert(flips.end(), patch.flips.begin(), patch.flips.end());
  BANKAI_ASSIGN_OR_RETURN(const patch::ShapeTable shapes, shapes_of(flips, model));
  return FlipSet::make(std::move(flips), shapes);
}

}  // namespace

Result<std::unique_ptr<model::Model>> load_model(const std::string& path,
                                                 const model::LoadOptions& options) {
  if (patch::edit_pending(path))
    return make_error(ErrorCode::kBadInput,
                      "%s: an interrupted in-place edit has left it half changed; the next "
                      "bankai-patch apply or revert --in-place undoes that",
                      path.c_str());
  return model::Model::load(path, options);
}

Result<PatchStack> load_patches(std::span<const std::string> paths, const model::Model& model,
                                bool force, const std::function<void(const std::string&)>& remark) {
  PatchStack stack;
  for (const std::string& path : paths) {
    BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, patch::read_patch(path));
    Result<FlipSet> flips = add_patch(patch, stack.flips, model, force, remark);
    if (!flips.ok()) return with_context(std::move(flips).error(), path);
    stack.flips = std::move(flips).value();
  }
  stack.overlay = bfs::make_overlay(model, stack.flips.flips());
  return stack;
}

}  // namespace bankai::cli
