// A set of flips in canonical form. With known shapes two sets change the same weights in the same
// way exactly if they are equal.
//
// The form of one row is the one with the fewest flips:
//   - a group is written as a group flip and the bits that it leaves out when more than 64 of its
//     128 bits are set, else as its bits (129 bits would be needed for a tie);
//   - a row is written as a row flip and the groups and bits that deviate from it when that takes
//     fewer flips than listing its groups and bits; a tie goes to the list. In a matrix with one
//     group per row the row flip always stands for the group flip;
//   - a trit that steps is written as one step.
// The number of groups of a row must be known for the second rule; for a tensor that is not in the
// shape table a row flip stays what it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "patch/flip.h"
#include "patch/row_mask.h"

namespace bankai::patch {

struct TensorShape {
  std::uint32_t rows = 0;
  std::uint32_t cols = 0;  // a multiple of 128

  std::uint32_t groups_per_row() const { return cols / static_cast<std::uint32_t>(kGroupCols); }
  bool operator==(const TensorShape&) const = default;
};

using ShapeTable = std::map<TensorAddress, TensorShape>;

// Errors (kBadInput): zero, too large, or a width that is not a multiple of 128.
Status check_shape(TensorAddress tensor, const TensorShape& shape);

class FlipSet {
 public:
  FlipSet() = default;
  // What `flips`, in any order, do together (patch/flip.h). Errors (kBadInput): a flip outside its
  // tensor's shape or, where that is not known, beyond the limits of flip.h; the message names flip
  // and limit; bit flips and steps in one tensor. kUnsupported: more than kMaxFlips.
  static Result<FlipSet> make(std::vector<Flip> flips, const ShapeTable& shapes = {});

  const std::vector<Flip>& flips() const { return flips_; }  // in canonical order
  std::size_t size() const { return flips_.size(); }
  bool empty() const { return flips_.empty(); }
  auto begin() const { return flips_.begin(); }
  auto end() const { return flips_.end(); }

  // The tensors that are touched, in order; the flips of one of them.
  std::vector<TensorAddress> tensors() const;
  std::span<const Flip> of(TensorAddress tensor) const;
  std::size_t count(FlipKind kind) const;
  bool has_steps() const;

  // What takes these flips back: the same without steps.
  FlipSet inverse() const;

  bool operator==(const FlipSet&) const = default;

 private:
  std::vector<Flip> flips_;
};

// Appends `next`, which acts after `flips`: a negation turns the steps before it around.
void append_after(std::vector<Flip>& flips, const FlipSet& next);

// Errors as in FlipSet::make, and a touched tensor that `shapes` does not list (kMismatch).
Status check_against_shapes(const FlipSet& flips, const ShapeTable& shapes);

// Appends the canonical flips of one row; `num_groups` is 0 if unknown.
void append_canonical_row(TensorAddress tensor, std::uint32_t row, const RowMask& mask,
                          std::uint32_t num_groups, std::vector<Flip>& out);

}  // namespace bankai::patch
