// Counting bits in AVX-512 registers by the instruction for it (VPOPCNTDQ); see xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/xnor_avx512.h"

namespace bankai::kernels {
namespace {

struct XnorAvx512Icl : XnorAvx512 {
  static constexpr std::size_t kTokens = 4;
  static constexpr bool kWideCounts = true;

  static Vector add_count(Vector sum, Vector x) {
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(x));
  }
  static Vector widened(Vector sum) { return sum; }
};

}  // namespace
}  // namespace bankai::kernels
