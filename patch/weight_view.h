// The matrices that patches change, of either type.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <variant>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "core/trit_matrix.h"
#include "patch/flip_set.h"

namespace bankai::patch {

using WeightView = std::variant<BitMatrixView, TritMatrixView>;
using MutableWeightView = std::variant<MutableBitMatrixView, MutableTritMatrixView>;

// The matrix at an address, or nothing if the model has none there.
using MatrixLookup = std::function<std::optional<WeightView>(TensorAddress)>;
using MutableMatrixLookup = std::function<std::optional<MutableWeightView>(TensorAddress)>;

// Errors (kBadInput): beyond the limits of check_shape.
Result<TensorShape> shape_of(TensorAddress tensor, const WeightView& matrix);

// The shapes of the matrices that the flips touch. Errors: kMismatch if a matrix is missing or has
// weights of another type than the flips; kBadInput if a flip lies outside.
Result<ShapeTable> shapes_of(const FlipSet& flips, const MatrixLookup& lookup);

}  // namespace bankai::patch
