// The AMX products on emulated tiles, compiled for AVX-512 in a file of their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {

// REQUIRES: a machine with AVX-512, at least 16 tokens.
void emulated_amx_gemm(const Panels& weights, const Activations& activations, float* out,
                       std::size_t out_stride);
std::uint64_t emulated_amx_int8_peak(std::size_t rounds);

// How often so far the processor would have refused an operation, or tiles were left configured.
std::size_t emulated_amx_faults();

}  // namespace bankai::kernels
