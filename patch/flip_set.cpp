#include "patch/flip_set.h"

#include <algorithm>

#include "core/format.h"

namespace bankai::patch {
namespace {

constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);

bool more_than_half(const GroupBits& bits) { return count_ones(bits) > 64; }

// Flips that write the bits of one group, by the first rule of the header.
std::uint64_t num_flips(const GroupBits& bits) {
  const auto ones = static_cast<std::uint64_t>(count_ones(bits));
  return more_than_half(bits) ? 1 + 128 - ones : ones;
}

// Flips that write a row when its row flip is taken (`row_flag`) or not.
std::uint64_t num_flips(const RowMask& mask, bool row_flag, std::uint32_t num_groups) {
  const bool inverted = mask.whole_row != row_flag;
  std::uint64_t total = row_flag ? 1 : 0;
  for (const GroupMask& entry : mask.groups)
    total += num_flips(inverted ? ~entry.bits : entry.bits);
  if (inverted) total += num_groups - mask.groups.size();
  return total;
}

bool takes_row_flag(const RowMask& mask, std::uint32_t num_groups) {
  if (num_groups == 0) return mask.whole_row;
  const std::uint64_t with = num_flips(mask, true, num_groups);
  const std::uint64_t without = num_flips(mask, false, num_groups);
  return num_groups == 1 ? with <= without : with < without;
}

void append_bits(TensorAddress tensor, std::uint32_t row, const GroupMask& entry,
                 std::vector<Flip>& out) {
  for (std::uint32_t word = 0; word < 2; ++word)
    for (std::uint64_t rest = entry.bits[word]; rest != 0; rest &= rest - 1)
      out.push_back(bit_flip(
          tensor, row,
          entry.group * kCols + word * 64 + static_cast<std::uint32_t>(std::countr_zero(rest))));
}

Status out_of_range(const Flip& flip, const char* what, std::uint64_t limit) {
  return make_error(ErrorCode::kBadInput, "flip of %s: %s must be below %llu",
                    to_string(flip).c_str(), what, static_cast<unsigned long long>(limit));
}

Status check_flip(const Flip& flip, const TensorShape& limit) {
  const bool single = flip.tensor.projection == Projection::kEmbedding ||
                      flip.tensor.projection == Projection::kHead;
  const std::uint32_t num_layers = single ? 1 : kMaxLayers;
  if (flip.tensor.layer >= num_layers) return out_of_range(flip, "the layer", num_layers);
  if (flip.row >= limit.rows) return out_of_range(flip, "the row", limit.rows);
  if (flip.kind == FlipKind::kGroup && flip.index >= limit.groups_per_row())
    return out_of_range(flip, "the group", limit.groups_per_row());
  if (is_single(flip.kind) && flip.index >= limit.cols)
    return out_of_range(flip, "the column", limit.cols);
  return {};
}

// Bits and trits are never in one matrix.
Status check_one_type(TensorAddress tensor, std::span<const Flip> flips) {
  const auto has = [&](auto test) { return std::any_of(flips.begin(), flips.end(), test); };
  if (!has([](const Flip& flip) { return flip.kind == FlipKind::kBit; }) ||
      !has([](const Flip& flip) { return is_step(flip.kind); }))
    return {};
  return make_error(ErrorCode::kBadInput,
                    "%s has bit flips, for 1-bit weights, and steps, for ternary ones",
                    to_string(tensor).c_str());
}

FlipKind turned_around(FlipKind step) {
  return step == FlipKind::kStepUp ? FlipKind::kStepDown : FlipKind::kStepUp;
}

// Does the canonical set negate the weight of a step?
bool negates(std::span<const Flip> flips, const Flip& step) {
  const auto has = [&](const Flip& flip) {
    return std::binary_search(flips.begin(), flips.end(), flip);
  };
  return has(row_flip(step.tensor, step.row)) !=
         has(group_flip(step.tensor, step.row, step.index / kCols));
}

}  // namespace

Status check_shape(TensorAddress tensor, const TensorShape& shape) {
  if (shape.rows == 0 || shape.rows > kMaxRows || shape.cols == 0 || shape.cols > kMaxCols ||
      shape.cols % kCols != 0)
    return make_error(
        ErrorCode::kBadInput,
        "%s: shape of %u rows by %u columns; expected 1 to %u rows and a multiple of 128 "
        "columns up to %u",
        to_string(tensor).c_str(), shape.rows, shape.cols, kMaxRows, kMaxCols);
  return {};
}

void append_canonical_row(TensorAddress tensor, std::uint32_t row, const RowMask& mask,
                          std::uint32_t num_groups, std::vector<Flip>& out) {
  const bool row_flag = takes_row_flag(mask, num_groups);
  const RowMask rest{mask.whole_row != row_flag, mask.groups, {}};
  if (row_flag) out.push_back(row_flip(tensor, row));
  std::vector<GroupMask> deviations;
  for_each_group(rest, num_groups, [&](std::uint32_t group, GroupBits bits) {
    if (more_than_half(bits)) {
      out.push_back(group_flip(tensor, row, group));
      bits = ~bits;
    }
    deviations.push_back({group, bits});
  });
  for (const GroupMask& entry : deviations) append_bits(tensor, row, entry, out);
  for (const FlipKind kind : {FlipKind::kStepUp, FlipKind::kStepDown})
    for (const TritStep& step : mask.steps)
      if ((step.add == 1) == (kind == FlipKind::kStepUp))
        out.push_back({tensor, row, kind, step.col});
}

Result<FlipSet> FlipSet::make(std::vector<Flip> flips, const ShapeTable& shapes) {
  std::sort(flips.begin(), flips.end());
  FlipSet set;
  for (std::size_t begin = 0, end = 0; begin < flips.size(); begin = end) {
    const TensorAddress tensor = flips[begin].tensor;
    const auto known = shapes.find(tensor);
    if (known != shapes.end()) BANKAI_RETURN_IF_ERROR(check_shape(tensor, known->second));
    const TensorShape limit =
        known != shapes.end() ? known->second : TensorShape{kMaxRows, kMaxCols};
    const std::uint32_t num_groups = known != shapes.end() ? limit.groups_per_row() : 0;
    for (; end < flips.size() && flips[end].tensor == tensor; ++end)
      BANKAI_RETURN_IF_ERROR(check_flip(flips[end], limit));
    const std::span<const Flip> of_tensor = std::span(flips).subspan(begin, end - begin);
    BANKAI_RETURN_IF_ERROR(check_one_type(tensor, of_tensor));
    for_each_row(of_tensor, [&](std::uint32_t row, std::span<const Flip> of_row) {
      append_canonical_row(tensor, row, mask_of_row(of_row), num_groups, set.flips_);
    });
    if (set.flips_.size() > kMaxFlips)
      return make_error(ErrorCode::kUnsupported, "more than %zu flips", kMaxFlips);
  }
  return set;
}

std::vector<TensorAddress> FlipSet::tensors() const {
  std::vector<TensorAddress> touched;
  for (const Flip& flip : flips_)
    if (touched.empty() || touched.back() != flip.tensor) touched.push_back(flip.tensor);
  return touched;
}

std::span<const Flip> FlipSet::of(TensorAddress tensor) const {
  const auto first = std::lower_bound(
      flips_.begin(), flips_.end(), tensor,
      [](const Flip& flip, const TensorAddress& wanted) { return flip.tensor < wanted; });
  const auto last = std::upper_bound(
      first, flips_.end(), tensor,
      [](const TensorAddress& wanted, const Flip& flip) { return wanted < flip.tensor; });
  return {first, last};
}

std::size_t FlipSet::count(FlipKind kind) const {
  return static_cast<std::size_t>(std::count_if(
      flips_.begin(), flips_.end(), [kind](const Flip& flip) { return flip.kind == kind; }));
}

bool FlipSet::has_steps() const {
  return std::any_of(flips_.begin(), flips_.end(),
                     [](const Flip& flip) { return is_step(flip.kind); });
}

// y = a · t + b gives t = a · y − a · b: a step stays where a is −1 and turns around where it is 1.
FlipSet FlipSet::inverse() const {
  FlipSet result = *this;
  if (!has_steps()) return result;
  for (Flip& flip : result.flips_)
    if (is_step(flip.kind) && !negates(flips_, flip)) flip.kind = turned_around(flip.kind);
  std::sort(result.flips_.begin(), result.flips_.end());
  return result;
}

// a₂ · (a₁ · t + b₁) + b₂ = a₂ · a₁ · t + (a₂ · b₁ + b₂).
void append_after(std::vector<Flip>& flips, const FlipSet& next) {
  for (Flip& flip : flips)
    if (is_step(flip.kind) && negates(next.flips(), flip)) flip.kind = turned_around(flip.kind);
  flips.insert(flips.end(), next.begin(), next.end());
}

Status check_against_shapes(const FlipSet& flips, const ShapeTable& shapes) {
  for (const Flip& flip : flips) {
    const auto known = shapes.find(flip.tensor);
    if (known == shapes.end())
      return make_error(ErrorCode::kMismatch, "flip of %s: the model has no such matrix",
                        to_string(flip).c_str());
    BANKAI_RETURN_IF_ERROR(check_flip(flip, known->second));
  }
  return {};
}

}  // namespace bankai::patch
