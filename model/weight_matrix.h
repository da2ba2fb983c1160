// A weight matrix of a model: as the file has it, and as the kernels multiply it.
#pragma once

#include "core/tensor_address.h"
#include "kernels/matmul.h"

namespace bankai::model {

// rows = outputs, cols = inputs. Not owned.
struct WeightMatrix {
  TensorAddress address;
  kernels::WeightRows weights;  // what patches and embeddings read
  kernels::Panels panels;       // none for float types
  float scale = 1.0F;           // of all weights: multiplies the product
};

}  // namespace bankai::model
