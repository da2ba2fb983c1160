// The backward pass of causal attention: from the gradient of the mixed values to those of rotated
// queries, keys and values. The weights of attention are computed again, for some queries at a
// time: memory is linear in a segment's length.
#pragma once

#include <span>

#include "kernels/kernel_table.h"
#include "model/transformer.h"

namespace bankai::model {

// Gradients of what projections put out.
struct AttentionGradientArrays {
  float* query = nullptr;  // (tokens, query_dim)
  float* key = nullptr;    // (tokens, kv_dim)
  float* value = nullptr;  // (tokens, kv_dim)
};

// With p = softmax(s), s_j = scale · q · k_j, and o = Σ p_j v_j, for each query of a head:
//   dp_j = do · v_j     ds_j = p_j (dp_j − Σ p_i dp_i)
//   dq = scale · Σ ds_j k_j     dk_j += scale · ds_j q     dv_j += p_j do
// sums over queries by token, then head. projections: q and k as they attend (rotated), and v;
// mixed_gradient (tokens, query_dim) is do. Segments have no caches. The same bits for any number
// of threads and any other segments in the block.
void attention_gradients(const kernels::KernelTable& table, int threads,
                         const Hyperparameters& parameters, std::span<const Segment> segments,
                         const AttentionProjections& projections, const float* mixed_gradient,
                         const AttentionGradientArrays& gradients);

}  // namespace bankai::model
