// Keys and values as codes of few bits. docs/kv_cache.md says why the quantisers are as they are.
//
// A code c stands for float(c) · scale + minimum, with the scale and the minimum of its vector in
// half precision. The product is exact in float32, so that the sum is rounded once.
//   8, 4, 2 bits  c in 0 … 2^bits − 1; scale and minimum are stored
//   signs         ±scale: c in 0 … 1, and the minimum is −scale, the step 2 · scale
//   1 bit         0 or 1: nothing is stored
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "model/kv_format.h"

namespace bankai::model {

// Half precision; 0 where a storage does not keep it.
struct KvMetadata {
  std::uint16_t scale = 0;
  std::uint16_t minimum = 0;
  bool operator==(const KvMetadata&) const = default;
};

// The codes (n) of a vector x (n), n >= 1, which is rotated already where the format rotates.
// REQUIRES: format.is_packed(). Canonical: the same bytes for every table.
//
// kKv1, with m = min x, M = max x, L = 2^bits − 1, all in float32:
//   affine  s = max((M − m) / L, 1e-6); c = clamp(round_half_even((x − m) / s), 0, L)
//   signs   s = max(mean |x|, 1e-6), the mean in double precision; c = x >= 0
//   1 bit   c = x >= 0
// kRotated, signs and 1 bit: the same. Affine: scale and minimum of least squared error among those
// that some starting ranges lead to, rounded to half precision before the final codes are made.
// A vector that is not finite gives metadata that is not, so that a broken value shows.
KvMetadata quantise_vector(const kernels::KernelTable& table, const KvFormat& format,
                           const float* x, std::size_t n, std::uint8_t* codes);

// x (n) → H D x / √b in place, over blocks of b elements, b the largest power of two that divides
// n: D negates some elements, always the same ones, and H is the Hadamard matrix of ±1.
// Orthonormal: products of two rotated vectors are those of the vectors.
void rotate_vector(float* x, std::size_t n);
// Back: x → D H x / √b.
void rotate_back(float* x, std::size_t n);

}  // namespace bankai::model
