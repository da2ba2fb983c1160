#include "model/kv_attention.h"

#include <algorithm>
#include <cmath>

#include "model/kv_rotation.h"

namespace bankai::model {

void attend_kv(const kernels::KernelTable& table, const KvHeadRows& kv, const KvQueries& queries,
               float* vectors, std::vector<float>& scores, std::vector<float>& sums, float* out) {
  const std::size_t dim = kv.head_dim;
  const std::size_t count = queries.num_tokens * queries.heads;
  const std::size_t num_positions = queries.first_position + queries.num_tokens;
  const std::size_t stride = round_up_to_key_block(num_positions);
  const KvFormat& format = kv.rows.format();
  if (format.rotates())
    for (std::size_t q = 0; q < count; ++q) rotate_query(format, vectors + q * dim, dim);
  scores.resize(count * stride);
  sums.resize(count);
  const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
  kv.rows.score(table, kv.head, kv.first_row, num_positions, vectors, count, scale, scores.data(),
                stride);
  for (std::size_t q = 0; q < count; ++q)
    sums[q] = table.exponentials(scores.data() + q * stride,
                                 queries.first_position + q / queries.heads + 1);
  // What all tokens see, then what only the later ones do.
  std::fill_n(out, count * dim, 0.0F);
  const std::size_t seen_by_all = queries.first_position + 1;
  kv.rows.mix(table, kv.head, kv.first_row, seen_by_all, scores.data(), stride, count, out);
  for (std::size_t i = 1; i < queries.num_tokens; ++i)
    kv.rows.mix(table, kv.head, kv.first_row + seen_by_all, i,
                scores.data() + i * queries.heads * stride + seen_by_all, stride, queries.heads,
                out + i * queries.heads * dim);
  // The weights were not normalised: that is done once for their sum of values.
  for (std::size_t q = 0; q < count; ++q) {
    const float factor = 1.0F / sums[q];
    float* sum = out + q * dim;
    for (std::size_t d = 0; d < dim; ++d) sum[d] *= factor;
    if (format.rotates()) rotate_sum_back(format, sum, dim);
  }
}

}  // namespace bankai::model
