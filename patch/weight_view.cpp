#include "patch/weight_view.h"

#include <algorithm>

#include "core/format.h"

namespace bankai::patch {
namespace {

Status check_type(std::span<const Flip> flips, const WeightView& matrix) {
  const bool is_ternary = std::holds_alternative<TritMatrixView>(matrix);
  const auto wrong = std::find_if(flips.begin(), flips.end(), [&](const Flip& flip) {
    return is_ternary ? flip.kind == FlipKind::kBit : is_step(flip.kind);
  });
  if (wrong == flips.end()) return {};
  return make_error(ErrorCode::kMismatch, "flip of %s: the matrix is %s", to_string(*wrong).c_str(),
                    is_ternary ? "ternary, where single weights take steps"
                               : "1-bit, where single weights take flips");
}

}  // namespace

Result<TensorShape> shape_of(TensorAddress tensor, const WeightView& matrix) {
  const auto [rows, cols] =
      std::visit([](const auto& view) { return std::pair(view.rows(), view.cols()); }, matrix);
  const TensorShape shape{
      static_cast<std::uint32_t>(std::min<std::size_t>(rows, kMaxRows + 1)),
      static_cast<std::uint32_t>(std::min<std::size_t>(cols, kMaxCols + kGroupCols))};
  BANKAI_RETURN_IF_ERROR(check_shape(tensor, shape));
  return shape;
}

Result<ShapeTable> shapes_of(const FlipSet& flips, const MatrixLookup& lookup) {
  ShapeTable shapes;
  for (const TensorAddress tensor : flips.tensors()) {
    const std::optional<WeightView> matrix = lookup(tensor);
    if (!matrix)
      return make_error(ErrorCode::kMismatch, "the model has no 1-bit or ternary matrix '%s'",
                        to_string(tensor).c_str());
    BANKAI_ASSIGN_OR_RETURN(shapes[tensor], shape_of(tensor, *matrix));
    BANKAI_RETURN_IF_ERROR(check_type(flips.of(tensor), *matrix));
  }
  BANKAI_RETURN_IF_ERROR(check_against_shapes(flips, shapes));
  return shapes;
}

}  // namespace bankai::patch
