// What the quantiser kRotated does around the codes: keys, queries and values are turned so that no
// element stands out, and keys are as large as the queries they meet. Products stay what they are.
#pragma once

#include <cstddef>
#include <vector>

#include "model/hyperparameters.h"
#include "model/kv_format.h"

namespace bankai::model {

// x (n) → H D x / √b in place, over blocks of b elements, b the largest power of two that divides
// n: D negates some elements, always the same ones, and H is the Hadamard matrix of ±1.
// Orthonormal: products of two rotated vectors are those of the vectors.
void rotate_vector(float* x, std::size_t n);
// Back: x → D H x / √b.
void rotate_back(float* x, std::size_t n);
// Queries, and sums of values back: places of scale codes count nothing, neither here nor there.
void rotate_query(const KvFormat& format, float* x, std::size_t n);
void rotate_sum_back(const KvFormat& format, float* x, std::size_t n);

// The weights (head_dim) of the norms of queries and keys.
struct QueryKeyNorms {
  std::vector<float> query, key;
};
// Norms after which keys are as large as queries: each pair that RoPE turns has its key weights
// times f and its query weights over f, with f the power of two nearest to sqrt(|query| / |key|).
// An error that is spread evenly then costs the products least: the sum over channels of
// |query|² / f² times that of |key|² f² is smallest there (Cauchy and Schwarz). Exact, but for
// numbers at the ends of float's range; what is 0 or not finite keeps f = 1.
QueryKeyNorms balance_norms(const std::vector<float>& query_norm,
                            const std::vector<float>& key_norm, const RopeParameters& rope);

}  // namespace bankai::model
