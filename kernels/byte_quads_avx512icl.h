// Products of bytes in AVX-512 registers by one instruction (VNNI); see transposed_body.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/byte_quads_avx512.h"

namespace bankai::kernels {
namespace {

struct ByteQuadsAvx512Icl : ByteQuadsAvx512 {
  typedef std::int32_t Sums __attribute__((vector_size(64)));  // as in ByteQuadsAvx512

  static Sums multiply_add(Sums sums, Ints weights, Ints values) {
    return __builtin_bit_cast(Sums,
                              _mm512_dpbusd_epi32(__builtin_bit_cast(Ints, sums), weights, values));
  }
  static Ints finished(Sums sums) { return __builtin_bit_cast(Ints, sums); }
};

}  // namespace
}  // namespace bankai::kernels
