#include "cli/patch_check.h"

#include "core/format.h"

namespace bankai::cli {

using patch::BaseState;

Status check_patch_base(const patch::Patch& patch, const patch::FlipSet& before,
                        const patch::MatrixLookup& lookup, const PatchRemark& remark) {
  BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck alone, patch::check_base(patch, lookup));
  if (alone.state == BaseState::kUnbound)
    remark("patch " + quoted(patch.name) + " names no base; only its shapes were checked");
  if (alone.state == BaseState::kUnbound || alone.state == BaseState::kBase) return {};
  if (!before.empty()) {
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck on_top,
                            patch::check_base(patch, lookup, before));
    if (on_top.state == BaseState::kBase) return {};
  }
  return patch::require_state(patch, alone, patch::Direction::kApply);
}

}  // namespace bankai::cli
