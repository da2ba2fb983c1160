#include "bfs/flippable.h"

#include "model/trit_tensor.h"

namespace bankai::bfs {

patch::MatrixLookup flippable_weights(const model::Model& model) {
  return [&model](TensorAddress address) -> std::optional<patch::WeightView> {
    if (const auto bits = model.bit_matrix(address)) return *bits;
    if (const auto trits = model::trit_matrix(model, address)) return *trits;
    return std::nullopt;
  };
}

std::optional<patch::TensorShape> flippable_shape(const model::Model& model, TensorAddress tensor) {
  const std::optional<patch::WeightView> matrix = flippable_weights(model)(tensor);
  if (!matrix) return std::nullopt;
  const Result<patch::TensorShape> shape = patch::shape_of(tensor, *matrix);
  if (!shape.ok()) return std::nullopt;
  return *shape;
}

}  // namespace bankai::bfs
