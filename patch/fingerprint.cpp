#include "patch/fingerprint.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/format.h"

namespace bankai::patch {
namespace {

// Shapes of the touched matrices, checked against the flips and against what the patch knows.
Result<ShapeTable> find_shapes(const Patch& patch, const MatrixLookup& lookup) {
  BANKAI_ASSIGN_OR_RETURN(ShapeTable shapes, shapes_of(patch.flips, lookup));
  for (const auto& [tensor, shape] : shapes) {
    const auto known = patch.base.shapes.find(tensor);
    if (known != patch.base.shapes.end() && known->second != shape)
      return make_error(ErrorCode::kMismatch,
                        "%s has %u rows by %u columns, but the patch was made for %u by %u",
                        to_string(tensor).c_str(), shape.rows, shape.cols, known->second.rows,
                        known->second.cols);
  }
  return shapes;
}

// Content hashes of the matrices that `patch` touches, after `flips`.
ContentTable hash_touched(const Patch& patch, const MatrixLookup& lookup, const FlipSet& flips) {
  ContentTable contents;
  for (const TensorAddress tensor : patch.flips.tensors())
    contents.emplace(tensor, hash_content(*lookup(tensor), flips.of(tensor)));
  return contents;
}

bool is_base(const Base& base, const ContentTable& contents) {
  return base.contents.empty() ? base.hash == combine_contents(contents)
                               : base.contents == contents;
}

}  // namespace

BaseHash combine_contents(const ContentTable& contents) {
  Sha256 hash;
  for (const auto& [tensor, digest] : contents) {
    hash.update_u64(tensor.layer);
    hash.update_u64(static_cast<std::uint64_t>(tensor.projection));
    hash.update(digest);
  }
  const Sha256Digest digest = hash.finish();
  BaseHash base;
  std::copy_n(digest.begin(), base.size(), base.begin());
  return base;
}

Status bind_to_base(Patch& patch, const MatrixLookup& lookup) {
  BANKAI_ASSIGN_OR_RETURN(ShapeTable shapes, find_shapes(patch, lookup));
  BANKAI_ASSIGN_OR_RETURN(patch.flips, FlipSet::make(patch.flips.flips(), shapes));
  patch.base.contents = hash_touched(patch, lookup, {});
  patch.base.hash = combine_contents(patch.base.contents);
  patch.base.shapes = std::move(shapes);
  return {};
}

Result<BaseCheck> check_base(const Patch& patch, const MatrixLookup& lookup,
                             const FlipSet& pending) {
  BANKAI_ASSIGN_OR_RETURN(const ShapeTable shapes, find_shapes(patch, lookup));
  BANKAI_RETURN_IF_ERROR(shapes_of(pending, lookup));
  if (!patch.base.hash) return BaseCheck{};
  const ContentTable found = hash_touched(patch, lookup, pending);
  if (is_base(patch.base, found)) return BaseCheck{BaseState::kBase, {}};
  std::vector<Flip> back(pending.flips());
  append_after(back, patch.flips.inverse());
  BANKAI_ASSIGN_OR_RETURN(const FlipSet reverting, FlipSet::make(std::move(back), shapes));
  const ContentTable reverted = hash_touched(patch, lookup, reverting);
  if (is_base(patch.base, reverted)) return BaseCheck{BaseState::kApplied, {}};
  BaseCheck check{BaseState::kOther, {}};
  for (const auto& [tensor, digest] : patch.base.contents) {
    if (digest == found.at(tensor)) continue;
    if (!check.first_different || digest != reverted.at(tensor)) check.first_different = tensor;
    if (digest != reverted.at(tensor)) break;
  }
  return check;
}

Status require_state(const Patch& patch, const BaseCheck& check, Direction direction) {
  const bool applying = direction == Direction::kApply;
  const char* name = patch.name.c_str();
  switch (check.state) {
    case BaseState::kUnbound: return {};
    case BaseState::kBase:
      if (applying) return {};
      return make_error(ErrorCode::kMismatch, "patch '%s' is not applied to this model", name);
    case BaseState::kApplied:
      if (!applying) return {};
      return make_error(ErrorCode::kMismatch, "patch '%s' is already applied to this model", name);
    case BaseState::kOther: break;
  }
  if (check.first_different)
    return make_error(ErrorCode::kMismatch, "patch '%s' was made for another base: %s differs",
                      name, to_string(*check.first_different).c_str());
  return make_error(ErrorCode::kMismatch,
                    "patch '%s' was made for another base: the touched matrices differ from base "
                    "%s",
                    name, to_hex(*patch.base.hash).c_str());
}

}  // namespace bankai::patch
