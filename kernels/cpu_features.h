// What this processor and its operating system allow. Compiled without instruction-set flags.
#pragma once

#include <cstdint>

namespace bankai::kernels {

enum CpuFeature : std::uint32_t {
  kCpuAvx2 = 1U << 0U,    // AVX2, FMA and F16C
  kCpuAvx512 = 1U << 1U,  // AVX-512 F, BW, DQ, VL
};

// The features present, as CpuFeature bits; computed once.
std::uint32_t cpu_features();

}  // namespace bankai::kernels
