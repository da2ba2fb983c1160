#include "cli/patch_loading.h"

#include <utility>
#include <vector>

#include "bfs/flippable.h"
#include "bfs/overlay.h"
#include "cli/model_opening.h"
#include "core/format.h"
#include "patch/apply.h"
#include "patch/fingerprint.h"
#include "patch/in_place_edit.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

using patch::BaseState;
using patch::FlipSet;

// REQUIRES: `before` lies inside the model's matrices.
Status check_base_of(const patch::Patch& patch, const FlipSet& before, const model::Model& model,
                     const std::function<void(const std::string&)>& remark) {
  BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck alone,
                          patch::check_base(patch, bfs::flippable_weights(model)));
  if (alone.state == BaseState::kUnbound)
    remark("patch " + quoted(patch.name) + " names no base; only its shapes were checked");
  if (alone.state == BaseState::kUnbound || alone.state == BaseState::kBase) return {};
  if (!before.empty()) {
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck on_top,
                            patch::check_base(patch, bfs::flippable_weights(model), before));
    if (on_top.state == BaseState::kBase) return {};
  }
  return patch::require_state(patch, alone, patch::Direction::kApply);
}

// A patch that the model's pack carries, or one in a file.
Result<patch::Patch> find_patch(const std::string& name, const model::Model& model) {
  BANKAI_ASSIGN_OR_RETURN(std::optional<patch::Patch> packed,
                          find_packed_patch(model.file().path(), name));
  return packed ? *std::move(packed) : patch::read_patch(name);
}

Result<FlipSet> add_patch(const patch::Patch& patch, const FlipSet& before,
                          const model::Model& model, bool force,
                          const std::function<void(const std::string&)>& remark) {
  if (!force) BANKAI_RETURN_IF_ERROR(check_base_of(patch, before, model, remark));
  std::vector<patch::Flip> both = before.flips();
  patch::append_after(both, patch.flips);
  BANKAI_ASSIGN_OR_RETURN(FlipSet flips, FlipSet::make(std::move(both)));
  BANKAI_RETURN_IF_ERROR(patch::check_flips(flips, bfs::flippable_weights(model)));
  BANKAI_ASSIGN_OR_RETURN(const patch::ShapeTable shapes,
                          patch::shapes_of(flips, bfs::flippable_weights(model)));
  return FlipSet::make(flips.flips(), shapes);
}

}  // namespace

Result<std::unique_ptr<model::Model>> load_model(const std::string& path,
                                                 const model::LoadOptions& options) {
  if (patch::edit_pending(path))
    return make_error(ErrorCode::kBadInput,
                      "%s: an interrupted in-place edit has left it half changed; the next "
                      "bankai-patch apply or revert --in-place undoes that",
                      path.c_str());
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, open_model_file(path, options.threads));
  return model::Model::from_file(std::move(file), options);
}

Result<PatchStack> load_patches(std::span<const std::string> paths, const model::Model& model,
                                bool force, const std::function<void(const std::string&)>& remark) {
  PatchStack stack;
  for (const std::string& path : paths) {
    BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, find_patch(path, model));
    Result<FlipSet> flips = add_patch(patch, stack.flips, model, force, remark);
    if (!flips.ok()) return with_context(std::move(flips).error(), path);
    stack.flips = std::move(flips).value();
  }
  stack.overlay = bfs::make_overlay(model, stack.flips.flips());
  return stack;
}

}  // namespace bankai::cli
