#include "cli/patch_loading.h"

#include <utility>
#include <vector>

#include "bfs/flippable.h"
#include "bfs/overlay.h"
#include "cli/model_opening.h"
#include "cli/patch_check.h"
#include "patch/apply.h"

namespace bankai::cli {
namespace {

using patch::FlipSet;

Result<FlipSet> add_patch(const patch::Patch& patch, const FlipSet& before,
                          const patch::MatrixLookup& weights, bool force,
                          const std::function<void(const std::string&)>& remark) {
  if (!force) BANKAI_RETURN_IF_ERROR(check_patch_base(patch, before, weights, remark));
  std::vector<patch::Flip> both = before.flips();
  patch::append_after(both, patch.flips);
  BANKAI_ASSIGN_OR_RETURN(FlipSet flips, FlipSet::make(std::move(both)));
  BANKAI_RETURN_IF_ERROR(patch::check_flips(flips, weights));
  BANKAI_ASSIGN_OR_RETURN(const patch::ShapeTable shapes, patch::shapes_of(flips, weights));
  return FlipSet::make(flips.flips(), shapes);
}

}  // namespace

Result<std::unique_ptr<model::Model>> load_model(const std::string& path,
                                                 const model::LoadOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, open_model_file(path, options.threads));
  return model::Model::from_file(std::move(file), options);
}

Result<FlipSet> stack_patches(std::span<const std::string> paths, const std::string& path,
                              const patch::MatrixLookup& weights, bool force,
                              const std::function<void(const std::string&)>& remark) {
  FlipSet stacked;
  for (const std::string& name : paths) {
    BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, open_patch(name, path));
    Result<FlipSet> flips = add_patch(patch, stacked, weights, force, remark);
    if (!flips.ok()) return with_context(std::move(flips).error(), name);
    stacked = std::move(flips).value();
  }
  return stacked;
}

Result<PatchStack> load_patches(std::span<const std::string> paths, const model::Model& model,
                                bool force, const std::function<void(const std::string&)>& remark) {
  PatchStack stack;
  BANKAI_ASSIGN_OR_RETURN(stack.flips, stack_patches(paths, model.file().path(),
                                                     bfs::flippable_weights(model), force, remark));
  stack.overlay = bfs::make_overlay(model, stack.flips.flips());
  return stack;
}

}  // namespace bankai::cli
