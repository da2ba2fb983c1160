// The index space of a binary patch: the matrices of all touched layers × touched projections, one
// after the other. Every row, group and bit of them has a position, and a patch is five sets of
// positions. Listing layers and projections apart costs a few bytes; the untouched matrices that
// come along cost less than a second list would. Trits have positions as bits have.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "patch/flip_set.h"

namespace bankai::patch {

struct ScopeTensor {
  TensorAddress tensor;
  std::uint32_t rows = 0;
  std::uint32_t groups_per_row = 0;
  std::uint64_t first_row = 0;    // position of its row 0 among the rows of all
  std::uint64_t first_group = 0;  // position of its first group among the groups of all
};

class Scope {
 public:
  Scope() = default;
  // The matrices of `layers` × `projections` in canonical order, without shapes. The embedding and
  // the head belong to no layer and come with theirs listed projection alone.
  Scope(std::span<const std::uint64_t> layers, std::uint32_t projection_mask);

  // The smallest scope of `flips`. A matrix that is not touched, or whose shape is not in `shapes`,
  // gets the shape that needs the fewest bytes; see docs/formats/patch.md.
  static Scope of(const FlipSet& flips, const ShapeTable& shapes);

  const std::vector<std::uint64_t>& layers() const { return layers_; }
  std::uint32_t projection_mask() const { return projection_mask_; }
  bool shape_per_tensor() const { return shape_per_tensor_; }
  const std::vector<ScopeTensor>& tensors() const { return tensors_; }
  std::uint64_t num_rows() const { return num_rows_; }
  std::uint64_t num_groups() const { return num_groups_; }
  std::uint64_t num_bits() const { return num_groups_ * kGroupCols; }
  std::uint64_t num_positions(FlipKind kind) const;

  // The shapes in the order in which a file states them: one per listed projection, or one per
  // matrix.
  std::vector<TensorShape> stated_shapes() const;
  // Errors (kBadInput): a shape beyond the limits. REQUIRES: as many as are stated.
  Status set_stated_shapes(std::span<const TensorShape> shapes, bool shape_per_tensor);

  // REQUIRES: the flip is of kind `kind` for position_of, and inside the scope.
  std::uint64_t position_of(const Flip& flip) const;
  Flip flip_at(FlipKind kind, std::uint64_t position) const;

 private:
  void lay_out();

  std::vector<std::uint64_t> layers_;
  std::uint32_t projection_mask_ = 0;
  bool shape_per_tensor_ = false;
  std::vector<ScopeTensor> tensors_;
  std::uint64_t num_rows_ = 0;
  std::uint64_t num_groups_ = 0;
};

}  // namespace bankai::patch
