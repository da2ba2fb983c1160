// The matrices of a model that flips act on: 1-bit and ternary ones.
#pragma once

#include <optional>

#include "model/model.h"
#include "patch/weight_view.h"

namespace bankai::bfs {

// Nothing for addresses without such a matrix. The model must outlive the lookup.
patch::MatrixLookup flippable_weights(const model::Model& model);

std::optional<patch::TensorShape> flippable_shape(const model::Model& model, TensorAddress tensor);

}  // namespace bankai::bfs
