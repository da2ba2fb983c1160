// The ternary matrices of a file and of a loaded model as views.
#pragma once

#include <optional>

#include "core/trit_matrix.h"
#include "model/gguf_tensor.h"
#include "model/model.h"

namespace bankai::model {

// nullopt if the type is not ternary or the width no multiple of 128. I2_S codes are taken as
// 128/32 (kernels/i2_s_layouts.h).
std::optional<TritMatrixView> trit_matrix(const GgufTensor& tensor);

// The ternary matrix at an address, as the model computes with it; nullopt if there is none, or if
// it is part of a fused tensor.
std::optional<TritMatrixView> trit_matrix(const Model& model, TensorAddress address);

}  // namespace bankai::model
