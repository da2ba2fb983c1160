// What this processor and its operating system allow. Compiled without instruction-set flags.
#pragma once

#include <cstdint>

namespace bankai::kernels {

enum CpuFeature : std::uint32_t {
  kCpuAvx2 = 1U << 0U,    // AVX2, FMA and F16C
  kCpuAvx512 = 1U << 1U,  // AVX-512 F, BW, DQ, VL
  // AVX-512 VNNI, VBMI, VPOPCNTDQ: Ice Lake, Zen 4 and later
  kCpuAvx512Icl = 1U << 2U,
  // AMX-TILE, AMX-INT8, and the system's permission to use them, which is asked for on the way
  kCpuAmx = 1U << 3U,
  kCpuNeon = 1U << 4U,  // part of every AArch64 processor that runs Linux
};

// The features present, as CpuFeature bits; computed once.
std::uint32_t cpu_features();

}  // namespace bankai::kernels
