// Small random ternary models, and models with a patch really applied.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/tensor_type.h"
#include "model/model.h"
#include "patch/flip_set.h"

namespace bankai::bfs {

inline constexpr kernels::TensorType kTernary[] = {
    kernels::TensorType::kTQ1_0, kernels::TensorType::kTQ2_0, kernels::TensorType::kI2_S,
    kernels::TensorType::kQ2_0, kernels::TensorType::kPQ2_0};

// Two layers of 256 × 512 weights, all of them trits, in bytes as writers make them.
std::shared_ptr<const model::Model> ternary_model(kernels::TensorType type);

// A model of TQ2_0 matrices with a scale of their own, whose tokenizer reads the demo's probes.
const model::Model& tiny_ternary_model();

// The model that a patch tool would write.
std::shared_ptr<const model::Model> edited_model(const model::Model& model,
                                                 const patch::FlipSet& flips);

}  // namespace bankai::bfs
