// Signs and weights in AVX-512 registers with VNNI; see signs_body.h.
#pragma once

#include "kernels/signs_avx512.h"

namespace bankai::kernels {
namespace {

struct SignsAvx512Icl : SignsAvx512 {
  static Sums multiply_add(Sums sums, Words a, Words b) { return _mm512_dpwssd_epi32(sums, a, b); }
};

}  // namespace
}  // namespace bankai::kernels
