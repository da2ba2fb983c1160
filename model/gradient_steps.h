// Derivatives of what lies between the products: norms, activations, rotations. Each works on one
// row or one run of elements; the arithmetic is IEEE single precision in a fixed order.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"
#include "model/architecture.h"

namespace bankai::model {

// out (n) = d objective / d x of y = rms_norm(x, weight), from gradient = d objective / d y:
//   r · g − x · (r³ / n · Σ g_j x_j)   with g = gradient · weight, r = 1 / sqrt(Σ x² / n + epsilon)
// out may be gradient.
void norm_gradient(const kernels::KernelTable& table, const float* x, const float* weight,
                   const float* gradient, std::size_t n, float epsilon, float* out);

// The gradients of n gates and n ups from that of the products activation(gate) · up. The outputs
// must not overlap the inputs.
void activation_gradient(const kernels::KernelTable& table, Activation activation,
                         const float* gate, const float* up, const float* gradient, std::size_t n,
                         float* gate_gradient, float* up_gradient);

// From the gradient of a rotated head to that of the head, in place; cos and sin are the rotation's
// own (half).
void unrotate_gradient(float* gradient, const float* cos, const float* sin, std::size_t half);

}  // namespace bankai::model
