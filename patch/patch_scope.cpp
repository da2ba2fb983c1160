#include "patch/patch_scope.h"

#include <algorithm>

#include "core/tensor_address.h"
#include "patch/patch.h"

namespace bankai::patch {
namespace {

constexpr auto kCols = static_cast<std::uint32_t>(kGroupCols);

bool belongs_to_a_layer(Projection projection) {
  return projection != Projection::kEmbedding && projection != Projection::kHead;
}

bool contains(std::uint32_t projection_mask, Projection projection) {
  return ((projection_mask >> static_cast<unsigned>(projection)) & 1U) != 0;
}

// The least shape that holds `flips`, all of one tensor.
TensorShape least_shape(std::span<const Flip> flips) {
  TensorShape shape{flips.back().row + 1, kCols};
  for (const Flip& flip : flips) {
    if (flip.kind == FlipKind::kGroup) shape.cols = std::max(shape.cols, (flip.index + 1) * kCols);
    if (is_single(flip.kind)) shape.cols = std::max(shape.cols, (flip.index / kCols + 1) * kCols);
  }
  return shape;
}

// Shapes of the touched tensors: the true ones if all are known, else one least shape per
// projection.
ShapeTable shapes_to_state(const FlipSet& flips, const ShapeTable& shapes, bool known) {
  std::array<TensorShape, kProjections.size()> least{};
  ShapeTable stated;
  for (const TensorAddress tensor : flips.tensors()) {
    if (known) {
      stated.emplace(tensor, shapes.at(tensor));
      continue;
    }
    const TensorShape needed = least_shape(flips.of(tensor));
    TensorShape& common = least[static_cast<std::size_t>(tensor.projection)];
    common = {std::max(common.rows, needed.rows), std::max(common.cols, needed.cols)};
  }
  if (!known)
    for (const TensorAddress tensor : flips.tensors())
      stated.emplace(tensor, least[static_cast<std::size_t>(tensor.projection)]);
  return stated;
}

}  // namespace

Scope::Scope(std::span<const std::uint64_t> layers, std::uint32_t projection_mask)
    : layers_(layers.begin(), layers.end()), projection_mask_(projection_mask) {
  for (const ProjectionNames& entry : kProjections) {
    if (!contains(projection_mask, entry.projection)) continue;
    if (!belongs_to_a_layer(entry.projection)) {
      tensors_.push_back({{0, entry.projection}});
      continue;
    }
    for (const std::uint64_t layer : layers)
      tensors_.push_back({{static_cast<std::uint32_t>(layer), entry.projection}});
  }
  std::sort(tensors_.begin(), tensors_.end(),
            [](const ScopeTensor& a, const ScopeTensor& b) { return a.tensor < b.tensor; });
}

Scope Scope::of(const FlipSet& flips, const ShapeTable& shapes) {
  if (flips.empty()) return {};
  std::vector<std::uint64_t> layers;
  std::uint32_t mask = 0;
  for (const TensorAddress tensor : flips.tensors()) {
    mask |= 1U << static_cast<unsigned>(tensor.projection);
    if (belongs_to_a_layer(tensor.projection) && (layers.empty() || layers.back() != tensor.layer))
      layers.push_back(tensor.layer);
  }
  Scope scope(layers, mask);

  const ShapeTable stated = shapes_to_state(flips, shapes, shapes_known(flips, shapes));
  std::array<TensorShape, kProjections.size()> of_projection{};
  for (const auto& [tensor, shape] : stated) {
    TensorShape& common = of_projection[static_cast<std::size_t>(tensor.projection)];
    if (common.rows != 0 && common != shape) scope.shape_per_tensor_ = true;
    common = shape;
  }
  // An untouched matrix takes the shape of the one before it, which is stated as a repetition.
  TensorShape previous = stated.begin()->second;
  for (ScopeTensor& entry : scope.tensors_) {
    const auto touched = stated.find(entry.tensor);
    if (touched != stated.end()) previous = touched->second;
    const TensorShape shape =
        scope.shape_per_tensor_ ? previous
                                : of_projection[static_cast<std::size_t>(entry.tensor.projection)];
    entry.rows = shape.rows;
    entry.groups_per_row = shape.groups_per_row();
  }
  scope.lay_out();
  return scope;
}

void Scope::lay_out() {
  num_rows_ = 0;
  num_groups_ = 0;
  for (ScopeTensor& entry : tensors_) {
    entry.first_row = num_rows_;
    entry.first_group = num_groups_;
    num_rows_ += entry.rows;
    num_groups_ += std::uint64_t{entry.rows} * entry.groups_per_row;
  }
}

std::uint64_t Scope::num_positions(FlipKind kind) const {
  if (kind == FlipKind::kRow) return num_rows();
  return kind == FlipKind::kGroup ? num_groups() : num_bits();
}

std::vector<TensorShape> Scope::stated_shapes() const {
  std::vector<TensorShape> shapes;
  const auto shape_of = [](const ScopeTensor& entry) {
    return TensorShape{entry.rows, entry.groups_per_row * kCols};
  };
  if (shape_per_tensor_) {
    for (const ScopeTensor& entry : tensors_) shapes.push_back(shape_of(entry));
    return shapes;
  }
  for (const ProjectionNames& names : kProjections) {
    const auto entry = std::find_if(tensors_.begin(), tensors_.end(), [&](const ScopeTensor& e) {
      return e.tensor.projection == names.projection;
    });
    if (entry != tensors_.end()) shapes.push_back(shape_of(*entry));
  }
  return shapes;
}

Status Scope::set_stated_shapes(std::span<const TensorShape> shapes, bool shape_per_tensor) {
  shape_per_tensor_ = shape_per_tensor;
  std::array<TensorShape, kProjections.size()> of_projection{};
  std::size_t next = 0;
  if (!shape_per_tensor)
    for (const ProjectionNames& names : kProjections)
      if (contains(projection_mask_, names.projection))
        of_projection[static_cast<std::size_t>(names.projection)] = shapes[next++];
  for (ScopeTensor& entry : tensors_) {
    const TensorShape& shape =
        shape_per_tensor ? shapes[next++]
                         : of_projection[static_cast<std::size_t>(entry.tensor.projection)];
    BANKAI_RETURN_IF_ERROR(check_shape(entry.tensor, shape));
    entry.rows = shape.rows;
    entry.groups_per_row = shape.groups_per_row();
  }
  lay_out();
  return {};
}

std::uint64_t Scope::position_of(const Flip& flip) const {
  const auto entry =
      std::lower_bound(tensors_.begin(), tensors_.end(), flip.tensor,
                       [](const ScopeTensor& e, TensorAddress t) { return e.tensor < t; });
  BANKAI_CHECK(entry != tensors_.end() && entry->tensor == flip.tensor && flip.row < entry->rows,
               "a flip outside the scope");
  if (flip.kind == FlipKind::kRow) return entry->first_row + flip.row;
  const std::uint64_t row_group =
      entry->first_group + std::uint64_t{flip.row} * entry->groups_per_row;
  if (flip.kind == FlipKind::kGroup) return row_group + flip.index;
  return row_group * kGroupCols + flip.index;
}

Flip Scope::flip_at(FlipKind kind, std::uint64_t position) const {
  BANKAI_CHECK(position < num_positions(kind), "a position outside the scope");
  const std::uint64_t place = is_single(kind) ? position / kGroupCols : position;
  const auto after = std::upper_bound(
      tensors_.begin(), tensors_.end(), place, [kind](std::uint64_t value, const ScopeTensor& e) {
        return value < (kind == FlipKind::kRow ? e.first_row : e.first_group);
      });
  const ScopeTensor& entry = *(after - 1);
  if (kind == FlipKind::kRow)
    return row_flip(entry.tensor, static_cast<std::uint32_t>(place - entry.first_row));
  const std::uint64_t local = place - entry.first_group;
  const auto row = static_cast<std::uint32_t>(local / entry.groups_per_row);
  const auto group = static_cast<std::uint32_t>(local % entry.groups_per_row);
  if (kind == FlipKind::kGroup) return group_flip(entry.tensor, row, group);
  return {entry.tensor, row, kind,
          group * kCols + static_cast<std::uint32_t>(position % kGroupCols)};
}

}  // namespace bankai::patch
