#include "patch/algebra.h"

#include <algorithm>
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

std::vector<Flip> both(std::span<const Flip> a, std::span<const Flip> b) {
  std::vector<Flip> flips(a.begin(), a.end());
  flips.insert(flips.end(), b.begin(), b.end());
  return flips;
}

// The weights that the flips of one tensor touch, as negations: bit flips stand for the steps on
// weights that nothing negates.
std::vector<Flip> touched_weights(std::span<const Flip> flips) {
  std::vector<Flip> touched;
  for_each_row(flips, [&](std::uint32_t, std::span<const Flip> of_row) {
    const RowMask mask = mask_of_row(of_row);
    for (const Flip& flip : of_row) {
      if (!is_step(flip.kind))
        touched.push_back(flip);
      else if (!is_negated(mask, flip.index))
        touched.push_back(bit_flip(flip.tensor, flip.row, flip.index));
    }
  });
  return touched;
}

}  // namespace

Result<Patch> compose(std::span<const Patch> patches) {
  Patch result;
  std::vector<Flip> flips;
  bool all_bound = !patches.empty();
  for (const Patch& patch : patches) {
    append_after(flips, patch.flips);
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
    shapes.emplace(tensor, assumed_shape(both(a, b)));
    std::vector<Flip> common;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
    const std::vector<Flip> touched_a = touched_weights(a);
    const std::vector<Flip> touched_b = touched_weights(b);
    BANKAI_ASSIGN_OR_RETURN(const FlipSet set_a, FlipSet::make(touched_a, shapes));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet set_b, FlipSet::make(touched_b, shapes));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet sum, FlipSet::make(both(touched_a, touched_b), shapes));
    // |A and B| = (|A| + |B| - |A xor B|) / 2.
    const std::uint64_t common_bits =
        (count_flipped_bits(set_a, shapes).bits + count_flipped_bits(set_b, shapes).bits -
         count_flipped_bits(sum, shapes).bits) /
        2;
    table.push_back({tensor, a.size(), b.size(), common.size(), common_bits});
  }
  return table;
}

}  // namespace bankai::patch
