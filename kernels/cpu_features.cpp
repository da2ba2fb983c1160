#include "kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bankai::kernels {
namespace {

#if defined(__x86_64__)
// F16C has no name in Clang 14's __builtin_cpu_supports. Its operating-system part is AVX's.
bool has_f16c() {
  constexpr unsigned int kF16cBit = 1U << 29U;
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kF16cBit) != 0;
}

// __builtin_cpu_supports reports AVX and AVX-512 only where the operating system saves their
// registers (it reads XCR0).
std::uint32_t detect() {
  __builtin_cpu_init();
  std::uint32_t features = 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
    features |= kCpuAvx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    features |= kCpuAvx512;
  return features;
}
#else
std::uint32_t detect() { return 0; }
#endif

}  // namespace

std::uint32_t cpu_features() {
  static const std::uint32_t features = detect();
  return features;
}

}  // namespace bankai::kernels
