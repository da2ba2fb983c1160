#include "patch/algebra.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/format.h"
#include "patch/fingerprint.h"

namespace bankai::patch {
namespace {

Status merge_shapes(const ShapeTable& from, ShapeTable& into) {
  for (const auto& [tensor, shape] : from) {
    const auto [place, inserted] = into.emplace(tensor, shape);
    if (!inserted && place->second != shape)
      return make_error(ErrorCode::kMismatch,
                        "the patches were made for different models: %s has %u rows by %u columns "
                        "in one, %u by %u in another",
                        to_string(tensor).c_str(), place->second.rows, place->second.cols,
                        shape.rows, shape.cols);
  }
  return {};
}

Status merge_contents(const ContentTable& from, ContentTable& into) {
  for (const auto& [tensor, content] : from) {
    const auto [place, inserted] = into.emplace(tensor, content);
    if (!inserted && place->second != content)
      return make_error(ErrorCode::kMismatch,
                        "the patches were made for different bases: the contents of %s differ",
                        to_string(tensor).c_str());
  }
  return {};
}

// The hash that all patches state for the same touched matrices as `result`, if there is one.
std::optional<BaseHash> common_hash(std::span<const Patch> patches, const FlipSet& result) {
  const std::vector<TensorAddress> touched = result.tensors();
  for (const Patch& patch : patches)
    if (patch.base.hash != patches.front().base.hash || patch.flips.tensors() != touched)
      return std::nullopt;
  return patches.front().base.hash;
}

std::vector<Flip> exclusive_or(std::span<const Flip> a, std::span<const Flip> b) {
  std::vector<Flip> both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

GroupBits load(const std::byte* bytes) {
  GroupBits bits;
  std::memcpy(bits.data(), bytes, sizeof bits);
  return bits;
}

}  // namespace

Result<Patch> compose(std::span<const Patch> patches) {
  Patch result;
  std::vector<Flip> flips;
  bool all_bound = !patches.empty();
  for (const Patch& patch : patches) {
    flips.insert(flips.end(), patch.flips.begin(), patch.flips.end());
    result.name += (result.name.empty() ? "" : "+") + patch.name;
    BANKAI_RETURN_IF_ERROR(merge_shapes(patch.base.shapes, result.base.shapes));
    BANKAI_RETURN_IF_ERROR(merge_contents(patch.base.contents, result.base.contents));
    all_bound = all_bound && (patch.flips.empty() || !patch.base.contents.empty());
  }
  const bool one_label = std::all_of(patches.begin(), patches.end(), [&](const Patch& patch) {
    return patch.base_model == patches.front().base_model;
  });
  if (one_label && !patches.empty()) result.base_model = patches.front().base_model;
  BANKAI_ASSIGN_OR_RETURN(result.flips, FlipSet::make(std::move(flips), result.base.shapes));
  drop_untouched(result.base, result.flips);
  if (!all_bound) result.base.contents.clear();
  if (!result.base.contents.empty())
    result.base.hash = combine_contents(result.base.contents);
  else if (!result.flips.empty())
    result.base.hash = common_hash(patches, result.flips);
  return result;
}

Result<std::vector<TensorOverlap>> overlap(const Patch& first, const Patch& second) {
  ShapeTable shapes = first.base.shapes;
  BANKAI_RETURN_IF_ERROR(merge_shapes(second.base.shapes, shapes));
  std::vector<TensorAddress> touched = first.flips.tensors();
  const std::vector<TensorAddress> others = second.flips.tensors();
  touched.insert(touched.end(), others.begin(), others.end());
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());

  std::vector<TensorOverlap> table;
  for (const TensorAddress tensor : touched) {
    const std::span<const Flip> a = first.flips.of(tensor);
    const std::span<const Flip> b = second.flips.of(tensor);
    shapes.emplace(tensor, assumed_shape(exclusive_or(a, b)));
    std::vector<Flip> common;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet set_a, FlipSet::make({a.begin(), a.end()}, shapes));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet set_b, FlipSet::make({b.begin(), b.end()}, shapes));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet sum, FlipSet::make(exclusive_or(a, b), shapes));
    // |A and B| = (|A| + |B| - |A xor B|) / 2.
    const std::uint64_t common_bits =
        (count_flipped_bits(set_a, shapes).bits + count_flipped_bits(set_b, shapes).bits -
         count_flipped_bits(sum, shapes).bits) /
        2;
    table.push_back({tensor, a.size(), b.size(), common.size(), common_bits});
  }
  return table;
}

Status diff_matrix(TensorAddress tensor, const BitMatrixView& base, const BitMatrixView& target,
                   std::vector<Flip>& out) {
  const std::string name = to_string(tensor);
  if (base.rows() != target.rows() || base.cols() != target.cols())
    return make_error(ErrorCode::kMismatch,
                      "%s has %zu rows by %zu columns in one, %zu by %zu in "
                      "the other",
                      name.c_str(), base.rows(), base.cols(), target.rows(), target.cols());
  if (base.rows() > kMaxRows || base.cols() > kMaxCols)
    return make_error(ErrorCode::kUnsupported, "%s has more than %u rows or columns", name.c_str(),
                      kMaxRows);
  const auto num_groups = static_cast<std::uint32_t>(base.groups_per_row());
  for (std::uint32_t row = 0; row < base.rows(); ++row) {
    RowMask mask;
    for (std::uint32_t group = 0; group < num_groups; ++group) {
      if (std::memcmp(base.group_scale(row, group), target.group_scale(row, group), 2) != 0)
        return make_error(
            ErrorCode::kMismatch,
            "%s: the scales of row %u group %u differ; a patch changes sign bits only",
            name.c_str(), row, group);
      const GroupBits a = load(base.group_bits(row, group));
      const GroupBits b = load(target.group_bits(row, group));
      if (a != b) mask.groups.push_back({group, {a[0] ^ b[0], a[1] ^ b[1]}});
    }
    append_canonical_row(tensor, row, mask, num_groups, out);
    if (out.size() > kMaxFlips)
      return make_error(ErrorCode::kUnsupported,
                        "%s: the models differ in more places than a patch can hold (%zu flips)",
                        name.c_str(), kMaxFlips);
  }
  return {};
}

}  // namespace bankai::patch
