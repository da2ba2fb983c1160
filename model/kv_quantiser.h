// Keys and values as codes of few bits. docs/kv_cache.md says why the quantisers are as they are.
//
// A code c stands for float(c) · scale + minimum, with the scale and the minimum of its vector in
// half precision. The product is exact in float32, so that the sum is rounded once.
//   8, 4, 2 bits  c in 0 … 2^bits − 1; scale and minimum are stored
//   signs         ±scale: c in 0 … 1, and the minimum is −scale, the step 2 · scale
//   1 bit         0 or 1: nothing is stored; where the format rotates, ±scale, and the first codes
//                 of a vector are the number of its scale (kv_scale_codes)
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
// kRotated: with y the elements that are read,
//   affine  scale and minimum of least squared error among those that some starting ranges lead to,
//           rounded to half precision before the final codes are made; then both times x·x / x·y
//   signs   s = x·x / Σ|x|; c = x >= 0
//   1 bit   the same, Σ over the codes that are signs, s rounded to one of its levels
// The factor undoes the shrinking of a least-squares fit: x·y becomes x·x, so that products with a
// query are right on average. A vector that is not finite gives a scale that is not, so that a
// broken value shows (not with the 1 bit of kKv1).
KvMetadata quantise_vector(const kernels::KernelTable& table, const KvFormat& format,
                           const float* x, std::size_t n, std::uint8_t* codes);

// How many codes at the beginning of a vector of n hold the number of its scale, the lowest bit
// first; 0 where the format keeps none there.
std::size_t kv_scale_codes(const KvFormat& format, std::size_t n);
// The scale with that number: 0, then 2^((i · 2^(7 − c) − 81) / 8) for c codes; the last is NaN.
float kv_coded_scale(std::size_t number, std::size_t num_codes);

}  // namespace bankai::model
