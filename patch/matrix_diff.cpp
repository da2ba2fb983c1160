// The difference of two matrices as flips.
#include <algorithm>
#include <cstring>

#include "core/format.h"
#include "patch/algebra.h"

namespace bankai::patch {
namespace {

constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);

GroupBits load(const std::byte* bytes) {
  GroupBits bits;
  std::memcpy(bits.data(), bytes, sizeof bits);
  return bits;
}

Status other_scale(TensorAddress tensor, std::uint32_t row, std::size_t block, const char* what) {
  return make_error(ErrorCode::kMismatch,
                    "%s: the scales of row %u %s %zu differ; a patch changes signs and trits only",
                    to_string(tensor).c_str(), row, what, block);
}

// The flips of row `row`, appended to `out`.
Status diff_row(TensorAddress tensor, const BitMatrixView& base, const BitMatrixView& target,
                std::uint32_t row, std::vector<Flip>& out) {
  const auto num_groups = static_cast<std::uint32_t>(base.groups_per_row());
  RowMask mask;
  for (std::uint32_t group = 0; group < num_groups; ++group) {
    if (std::memcmp(base.group_scale(row, group), target.group_scale(row, group), 2) != 0)
      return other_scale(tensor, row, group, "group");
    const GroupBits a = load(base.group_bits(row, group));
    const GroupBits b = load(target.group_bits(row, group));
    if (a != b) mask.groups.push_back({group, {a[0] ^ b[0], a[1] ^ b[1]}});
  }
  append_canonical_row(tensor, row, mask, num_groups, out);
  return {};
}

// The steps that lead from the trits of one group to those of another, perhaps after a negation.
struct GroupSteps {
  std::vector<TritStep> plain;
  std::vector<TritStep> negated;
};

GroupSteps diff_group(std::span<const std::uint8_t> from, std::span<const std::uint8_t> to,
                      std::uint32_t group) {
  GroupSteps steps;
  for (std::uint32_t col = group * kCols; col < (group + 1) * kCols; ++col) {
    const auto add = [&](std::vector<TritStep>& list, int code) {
      const int by = (to[col] + 3 - code) % 3;
      if (by != 0) list.push_back({col, static_cast<std::uint8_t>(by)});
    };
    if (from[col] > 2 || to[col] > 2) continue;  // equal, and no trits
    add(steps.plain, from[col]);
    add(steps.negated, 2 - from[col]);
  }
  return steps;
}

Status check_codes(TensorAddress tensor, std::uint32_t row, std::span<const std::uint8_t> from,
                   std::span<const std::uint8_t> to) {
  for (std::size_t col = 0; col < from.size(); ++col)
    if (from[col] != to[col] && std::max(from[col], to[col]) > 2)
      return make_error(ErrorCode::kMismatch,
                        "%s: the weights of row %u column %zu have the codes %u and %u, of which "
                        "3 is no trit",
                        to_string(tensor).c_str(), row, col, unsigned{from[col]},
                        unsigned{to[col]});
  return {};
}

Status diff_row(TensorAddress tensor, const TritMatrixView& base, const TritMatrixView& target,
                std::uint32_t row, std::vector<Flip>& out) {
  const TritLayout& layout = base.layout();
  if (layout.has_scale())
    for (std::size_t block = 0; block < base.blocks_per_row(); ++block)
      if (std::memcmp(base.block(row, block) + layout.scale_offset,
                      target.block(row, block) + layout.scale_offset, 2) != 0)
        return other_scale(tensor, row, block, "block");
  std::vector<std::uint8_t> from(base.cols());
  std::vector<std::uint8_t> to(base.cols());
  base.read_codes(row, from.data());
  target.read_codes(row, to.data());
  if (from == to) return {};
  BANKAI_RETURN_IF_ERROR(check_codes(tensor, row, from, to));
  const auto num_groups = static_cast<std::uint32_t>(base.groups_per_row());
  std::vector<GroupSteps> groups;
  // Flips that write the row without and with a row flip, each group taking its cheaper form.
  std::size_t without = 0;
  std::size_t with = 1;
  for (std::uint32_t group = 0; group < num_groups; ++group) {
    groups.push_back(diff_group(from, to, group));
    without += std::min(groups.back().plain.size(), 1 + groups.back().negated.size());
    with += std::min(groups.back().negated.size(), 1 + groups.back().plain.size());
  }
  RowMask mask{with < without, {}, {}};
  for (std::uint32_t group = 0; group < num_groups; ++group) {
    const std::vector<TritStep>& as_row =
        mask.whole_row ? groups[group].negated : groups[group].plain;
    const std::vector<TritStep>& otherwise =
        mask.whole_row ? groups[group].plain : groups[group].negated;
    const bool deviates = 1 + otherwise.size() < as_row.size();
    if (deviates) mask.groups.push_back({group, ~GroupBits{}});
    const std::vector<TritStep>& steps = deviates ? otherwise : as_row;
    mask.steps.insert(mask.steps.end(), steps.begin(), steps.end());
  }
  append_canonical_row(tensor, row, mask, num_groups, out);
  return {};
}

Status check_alike(TensorAddress, const BitMatrixView&, const BitMatrixView&) { return {}; }

Status check_alike(TensorAddress tensor, const TritMatrixView& base, const TritMatrixView& target) {
  const bool has_scale = base.matrix_scale() != nullptr;
  if (base.layout() != target.layout() || has_scale != (target.matrix_scale() != nullptr))
    return make_error(ErrorCode::kMismatch, "%s has another type in the other model",
                      to_string(tensor).c_str());
  if (has_scale && std::memcmp(base.matrix_scale(), target.matrix_scale(), 4) != 0)
    return make_error(ErrorCode::kMismatch, "%s: the scales differ; a patch changes trits only",
                      to_string(tensor).c_str());
  return {};
}

template <typename View>
Status diff(TensorAddress tensor, const View& base, const View& target, std::vector<Flip>& out) {
  BANKAI_RETURN_IF_ERROR(check_alike(tensor, base, target));
  for (std::uint32_t row = 0; row < base.rows(); ++row) {
    BANKAI_RETURN_IF_ERROR(diff_row(tensor, base, target, row, out));
    if (out.size() > kMaxFlips)
      return make_error(ErrorCode::kUnsupported,
                        "%s: the models differ in more places than a patch can hold (%zu flips)",
                        to_string(tensor).c_str(), kMaxFlips);
  }
  return {};
}

}  // namespace

Status diff_matrix(TensorAddress tensor, const WeightView& base, const WeightView& target,
                   std::vector<Flip>& out) {
  BANKAI_ASSIGN_OR_RETURN(const TensorShape shape, shape_of(tensor, base));
  BANKAI_ASSIGN_OR_RETURN(const TensorShape other, shape_of(tensor, target));
  if (shape != other || base.index() != target.index())
    return make_error(ErrorCode::kMismatch,
                      "%s has %u rows by %u columns in one, %u by %u in the other, or another type",
                      to_string(tensor).c_str(), shape.rows, shape.cols, other.rows, other.cols);
  return std::visit(
      [&](const auto& view) {
        return diff(tensor, view, std::get<std::decay_t<decltype(view)>>(target), out);
      },
      base);
}

}  // namespace bankai::patch
