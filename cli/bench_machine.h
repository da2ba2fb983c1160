// What this machine can do at most, measured: the figures that speeds are compared with.
#pragma once

#include <cstddef>

#include "kernels/matmul.h"

namespace bankai::cli {

// Bytes per second that `threads` threads read from a buffer far larger than the caches.
double measure_read_bandwidth(int threads, std::size_t repetitions);

// Multiply-adds of 8-bit integers per second that the table's product of one-bit weights reaches on
// blocks that stay in the cache of each core: the best of a few sizes. A weight counts once for a8
// and twice for a16, whose activations are two bytes.
double measure_int8_rate(const kernels::KernelTable& table, kernels::ActivationMode mode,
                         int threads, std::size_t repetitions);

// Multiply-adds of 8-bit integers for one weight and one activation.
constexpr double int8_per_weight(kernels::ActivationMode mode) {
  return mode == kernels::ActivationMode::kA16 ? 2.0 : 1.0;
}

}  // namespace bankai::cli
