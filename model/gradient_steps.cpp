#include "model/gradient_steps.h"

#include <algorithm>
#include <cmath>

namespace bankai::model {
namespace {

constexpr std::size_t kRun = 256;  // elements whose intermediate values stay on the stack

// d silu(x) / d x = σ(x) · (1 + x − silu(x)), from silu; σ is silu / x, or one half where that
// loses its bits.
void silu_gradients(const kernels::KernelTable& table, const float* gate, const float* up,
                    const float* gradient, std::size_t n, float* gate_gradient,
                    float* up_gradient) {
  float ones[kRun];
  float silu[kRun];
  std::fill(ones, ones + kRun, 1.0F);
  table.silu_mul(gate, ones, n, silu);
  for (std::size_t i = 0; i < n; ++i) {
    const float sigmoid = std::fabs(gate[i]) < 0x1p-100F ? 0.5F : silu[i] / gate[i];
    gate_gradient[i] = gradient[i] * up[i] * (sigmoid * (1.0F + (gate[i] - silu[i])));
    up_gradient[i] = gradient[i] * silu[i];
  }
}

void relu2_gradients(const float* gate, const float* up, const float* gradient, std::size_t n,
                     float* gate_gradient, float* up_gradient) {
  for (std::size_t i = 0; i < n; ++i) {
    const float r = gate[i] < 0.0F ? 0.0F : gate[i];
    gate_gradient[i] = gradient[i] * up[i] * (2.0F * r);
    up_gradient[i] = gradient[i] * (r * r);
  }
}

}  // namespace

void norm_gradient(const kernels::KernelTable& table, const float* x, const float* weight,
                   const float* gradient, std::size_t n, float epsilon, float* out) {
  const auto count = static_cast<float>(n);
  const float r = 1.0F / std::sqrt(table.dot_f32(x, x, n) / count + epsilon);
  for (std::size_t i = 0; i < n; ++i) out[i] = gradient[i] * weight[i];
  const float along = r * (r * (r * table.dot_f32(out, x, n))) / count;
  for (std::size_t i = 0; i < n; ++i) out[i] = r * out[i] - along * x[i];
}

void activation_gradient(const kernels::KernelTable& table, Activation activation,
                         const float* gate, const float* up, const float* gradient, std::size_t n,
                         float* gate_gradient, float* up_gradient) {
  if (activation == Activation::kRelu2) {
    relu2_gradients(gate, up, gradient, n, gate_gradient, up_gradient);
    return;
  }
  for (std::size_t i = 0; i < n; i += kRun)
    silu_gradients(table, gate + i, up + i, gradient + i, std::min(kRun, n - i), gate_gradient + i,
                   up_gradient + i);
}

void unrotate_gradient(float* gradient, const float* cos, const float* sin, std::size_t half) {
  for (std::size_t i = 0; i < half; ++i) {
    const float first = gradient[i];
    const float second = gradient[half + i];
    gradient[i] = first * cos[i] + second * sin[i];
    gradient[half + i] = second * cos[i] - first * sin[i];
  }
}

}  // namespace bankai::model
