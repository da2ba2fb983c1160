#include "kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
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

// The tiles' 8 KiB of state must be granted to a process before it uses them; a refusal (an old
// kernel, a policy) is the same as not having them.
bool is_granted_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // the state component, as in XCR0
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// AMX has no name in GCC 12's __builtin_cpu_supports.
bool has_amx_int8() {
  constexpr unsigned int kTileBit = 1U << 24U;
  constexpr unsigned int kInt8Bit = 1U << 25U;
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kTileBit) != 0 &&
         (edx & kInt8Bit) != 0 && is_granted_tiles();
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
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vpopcntdq"))
    features |= kCpuAvx512Icl;
  if (has_amx_int8()) features |= kCpuAmx;
  return features;
}
#elif defined(__aarch64__)
std::uint32_t detect() { return kCpuNeon; }
#else
std::uint32_t detect() { return 0; }
#endif

}  // namespace

std::uint32_t cpu_features() {
  static const std::uint32_t features = detect();
  return features;
}

}  // namespace bankai::kernels
