#include "model/attention_gradients.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/kv_cache.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kQueriesTogether = 24;

// One segment and one head of keys and values at a time. Rows of the arrays: those of the segment.
class HeadGradients {
 public:
  HeadGradients(const kernels::KernelTable& table, const Hyperparameters& parameters)
      : table_(table),
        heads_(parameters.num_heads / parameters.num_kv_heads),
        head_dim_(parameters.head_dim),
        query_stride_(parameters.query_dim()),
        kv_stride_(parameters.kv_dim()),
        scale_(1.0F / std::sqrt(static_cast<float>(parameters.head_dim))) {}

  // Pointers to the first element of the first token that belongs to the head.
  struct Arrays {
    const float *query, *key, *value, *mixed_gradient;
    float *query_gradient, *key_gradient, *value_gradient;
  };

  void run(std::size_t tokens, const Arrays& arrays) {
    arrange(arrays.key, tokens, keys_);
    arrange(arrays.value, tokens, values_);
    for (std::size_t t = 0; t < tokens; ++t) {
      std::fill_n(arrays.key_gradient + t * kv_stride_, head_dim_, 0.0F);
      std::fill_n(arrays.value_gradient + t * kv_stride_, head_dim_, 0.0F);
    }
    const std::size_t run_tokens = std::max<std::size_t>(1, kQueriesTogether / heads_);
    for (std::size_t first = 0; first < tokens; first += run_tokens)
      run_queries(first, std::min(run_tokens, tokens - first), arrays);
  }

 private:
  // Rows of kv_stride_ as attention_scores reads keys; positions that fill the last block are 0.
  void arrange(const float* rows, std::size_t tokens, std::vector<float>& out) const {
    out.assign(round_up_to_key_block(tokens) * head_dim_, 0.0F);
    for (std::size_t t = 0; t < tokens; ++t) {
      float* column = out.data() + t / kernels::kKeyBlock * kernels::kKeyBlock * head_dim_ +
                      t % kernels::kKeyBlock;
      for (std::size_t d = 0; d < head_dim_; ++d)
        column[d * kernels::kKeyBlock] = rows[t * kv_stride_ + d];
    }
  }

  void gather(const float* rows, std::size_t tokens, std::vector<float>& out) const {
    const std::size_t width = heads_ * head_dim_;
    out.resize(tokens * width);
    for (std::size_t t = 0; t < tokens; ++t)
      std::memcpy(out.data() + t * width, rows + t * query_stride_, width * sizeof(float));
  }

  void scores(const std::vector<float>& queries, std::size_t num_queries,
              const std::vector<float>& keys, std::size_t stride, float scale,
              std::vector<float>& out) const {
    out.resize(num_queries * stride);
    table_.attention_scores[static_cast<std::size_t>(kernels::KvType::kF32)](
        queries.data(), num_queries, head_dim_, head_dim_, keys.data(), stride / kernels::kKeyBlock,
        head_dim_ * kernels::kKeyBlock, scale, out.data(), stride);
  }

  // Scores become p, their gradients scale · ds; both 0 where a query does not see.
  void differentiate_softmax(std::size_t first, std::size_t num_queries, std::size_t stride) {
    for (std::size_t q = 0; q < num_queries; ++q) {
      const std::size_t seen = first + q / heads_ + 1;
      float* p = weights_.data() + q * stride;
      float* ds = weight_gradients_.data() + q * stride;
      const float factor = 1.0F / table_.exponentials(p, seen);
      for (std::size_t j = 0; j < seen; ++j) p[j] *= factor;
      const float mean = table_.dot_f32(p, ds, seen);
      for (std::size_t j = 0; j < seen; ++j) ds[j] = scale_ * (p[j] * (ds[j] - mean));
      std::fill(p + seen, p + stride, 0.0F);
      std::fill(ds + seen, ds + stride, 0.0F);
    }
  }

  // The queries of tokens [first, first + tokens).
  void run_queries(std::size_t first, std::size_t tokens, const Arrays& arrays) {
    const std::size_t num_queries = tokens * heads_;
    const std::size_t positions = first + tokens;
    const std::size_t stride = round_up_to_key_block(positions);
    gather(arrays.query + first * query_stride_, tokens, queries_);
    gather(arrays.mixed_gradient + first * query_stride_, tokens, mixed_gradient_);
    scores(queries_, num_queries, keys_, stride, scale_, weights_);
    scores(mixed_gradient_, num_queries, values_, stride, 1.0F, weight_gradients_);
    differentiate_softmax(first, num_queries, stride);

    query_gradient_.assign(num_queries * head_dim_, 0.0F);
    table_.attention_values[static_cast<std::size_t>(kernels::KvType::kF32)](
        weight_gradients_.data(), num_queries, stride, arrays.key, kv_stride_, positions, head_dim_,
        query_gradient_.data(), head_dim_);
    const std::size_t width = heads_ * head_dim_;
    for (std::size_t t = 0; t < tokens; ++t)
      std::memcpy(arrays.query_gradient + (first + t) * query_stride_,
                  query_gradient_.data() + t * width, width * sizeof(float));

    const auto accumulate = [&](const std::vector<float>& weights, const std::vector<float>& rows,
                                float* out) {
      table_.accumulate_outer(weights.data(), stride, positions, rows.data(), head_dim_, head_dim_,
                              num_queries, out, kv_stride_);
    };
    accumulate(weight_gradients_, queries_, arrays.key_gradient);
    accumulate(weights_, mixed_gradient_, arrays.value_gradient);
  }

  const kernels::KernelTable& table_;
  std::size_t heads_;  // of queries that read the head
  std::size_t head_dim_;
  std::size_t query_stride_, kv_stride_;
  float scale_;
  std::vector<float> keys_, values_;               // in blocks of positions
  std::vector<float> queries_, mixed_gradient_;    // (queries, head_dim)
  std::vector<float> weights_, weight_gradients_;  // (queries, positions)
  std::vector<float> query_gradient_;              // (queries, head_dim)
};

}  // namespace

void attention_gradients(const kernels::KernelTable& table, int threads,
                         const Hyperparameters& parameters, std::span<const Segment> segments,
                         const AttentionProjections& projections, const float* mixed_gradient,
                         const AttentionGradientArrays& gradients) {
  const std::size_t kv_heads = parameters.num_kv_heads;
  const std::size_t width = parameters.query_dim() / kv_heads;  // of the queries of a kv head
  parallel_for(threads, segments.size() * kv_heads, [&](IndexRange range) {
    HeadGradients head_gradients(table, parameters);
    for (std::size_t item = range.begin; item < range.end; ++item) {
      const Segment& segment = segments[item / kv_heads];
      const std::size_t head = item % kv_heads;
      const std::size_t query = segment.first_token * parameters.query_dim() + head * width;
      const std::size_t key =
          segment.first_token * parameters.kv_dim() + head * parameters.head_dim;
      head_gradients.run(segment.num_tokens,
                         {projections.query.data() + query, projections.key.data() + key,
                          projections.value.data() + key, mixed_gradient + query,
                          gradients.query + query, gradients.key + key, gradients.value + key});
    }
  });
}

}  // namespace bankai::model
