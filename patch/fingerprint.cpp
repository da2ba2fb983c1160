#include "patch/fingerprint.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/format.h"

namespace bankai::patch {
namespace {

// Copies the bits of one row to `out` (groups × 16 bytes).
void copy_row_bits(const BitMatrixView& matrix, std::size_t row, std::vector<std::byte>& out) {
  for (std::size_t group = 0; group < matrix.groups_per_row(); ++group)
    std::memcpy(out.data() + group * kGroupBitBytes, matrix.group_bits(row, group), kGroupBitBytes);
}

void toggle(std::vector<std::byte>& row_bits, const RowMask& mask) {
  const auto num_groups = static_cast<std::uint32_t>(row_bits.size() / kGroupBitBytes);
  for_each_group(mask, num_groups, [&](std::uint32_t group, const GroupBits& bits) {
    GroupBits value;
    std::byte* place = row_bits.data() + group * kGroupBitBytes;
    std::memcpy(value.data(), place, kGroupBitBytes);
    value[0] ^= bits[0];
    value[1] ^= bits[1];
    std::memcpy(place, value.data(), kGroupBitBytes);
  });
}

TensorShape shape_of(const BitMatrixView& matrix) {
  return {static_cast<std::uint32_t>(std::min<std::size_t>(matrix.rows(), kMaxRows + 1)),
          static_cast<std::uint32_t>(std::min<std::size_t>(matrix.cols(), kMaxCols + kGroupCols))};
}

// Shapes of the touched matrices, checked against the flips and against what the patch knows.
Result<ShapeTable> find_shapes(const Patch& patch, const MatrixLookup& lookup) {
  ShapeTable shapes;
  for (const TensorAddress tensor : patch.flips.tensors()) {
    const std::optional<BitMatrixView> matrix = lookup(tensor);
    if (!matrix)
      return make_error(ErrorCode::kMismatch, "the model has no 1-bit matrix '%s'",
                        to_string(tensor).c_str());
    const TensorShape shape = shape_of(*matrix);
    BANKAI_RETURN_IF_ERROR(check_shape(tensor, shape));
    const auto known = patch.base.shapes.find(tensor);
    if (known != patch.base.shapes.end() && known->second != shape)
      return make_error(ErrorCode::kMismatch,
                        "%s has %u rows by %u columns, but the patch was made for %u by %u",
                        to_string(tensor).c_str(), shape.rows, shape.cols, known->second.rows,
                        known->second.cols);
    shapes.emplace(tensor, shape);
  }
  BANKAI_RETURN_IF_ERROR(check_against_shapes(patch.flips, shapes));
  return shapes;
}

// Content hashes of the touched matrices, after `pending` and, if asked, the patch itself.
ContentTable hash_touched(const Patch& patch, const MatrixLookup& lookup, const FlipSet& pending,
                          bool with_patch) {
  ContentTable contents;
  for (const TensorAddress tensor : patch.flips.tensors()) {
    const std::span<const Flip> before = pending.of(tensor);
    std::vector<Flip> flips(before.begin(), before.end());
    if (with_patch) {
      const std::span<const Flip> own = patch.flips.of(tensor);
      flips.insert(flips.end(), own.begin(), own.end());
      std::sort(flips.begin(), flips.end());
    }
    contents.emplace(tensor, hash_content(*lookup(tensor), flips));
  }
  return contents;
}

bool is_base(const Base& base, const ContentTable& contents) {
  return base.contents.empty() ? base.hash == combine_contents(contents)
                               : base.contents == contents;
}

}  // namespace

Sha256Digest hash_content(const BitMatrixView& matrix, std::span<const Flip> flips) {
  Sha256 hash;
  hash.update_u64(matrix.rows());
  hash.update_u64(matrix.cols());
  std::vector<std::byte> row_bits(matrix.groups_per_row() * kGroupBitBytes);
  std::size_t next = 0;  // the first flip whose row has not been reached
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    copy_row_bits(matrix, row, row_bits);
    const std::size_t begin = next;
    while (next < flips.size() && flips[next].row == row) ++next;
    if (next > begin) toggle(row_bits, mask_of_row(flips.subspan(begin, next - begin)));
    hash.update(row_bits);
  }
  std::vector<std::byte> row_scales(matrix.groups_per_row() * 2);
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t group = 0; group < matrix.groups_per_row(); ++group)
      std::memcpy(row_scales.data() + group * 2, matrix.group_scale(row, group), 2);
    hash.update(row_scales);
  }
  return hash.finish();
}

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
  patch.base.contents = hash_touched(patch, lookup, {}, false);
  patch.base.hash = combine_contents(patch.base.contents);
  patch.base.shapes = std::move(shapes);
  return {};
}

Result<BaseCheck> check_base(const Patch& patch, const MatrixLookup& lookup,
                             const FlipSet& pending) {
  BANKAI_RETURN_IF_ERROR(find_shapes(patch, lookup));
  if (!patch.base.hash) return BaseCheck{};
  const ContentTable found = hash_touched(patch, lookup, pending, false);
  if (is_base(patch.base, found)) return BaseCheck{BaseState::kBase, {}};
  const ContentTable toggled = hash_touched(patch, lookup, pending, true);
  if (is_base(patch.base, toggled)) return BaseCheck{BaseState::kApplied, {}};
  BaseCheck check{BaseState::kOther, {}};
  for (const auto& [tensor, digest] : patch.base.contents) {
    if (digest == found.at(tensor)) continue;
    if (!check.first_different || digest != toggled.at(tensor)) check.first_different = tensor;
    if (digest != toggled.at(tensor)) break;
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
