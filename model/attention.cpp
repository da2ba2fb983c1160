// The attention stage of the forward pass: norms and rotation of queries and keys, causal softmax
// attention of each token over its own segment.
#include <algorithm>
#include <cmath>

#include "model/parallel.h"
#include "model/transformer.h"

namespace bankai::model {

// Looks up, for every token of the block, its position and where its segment's keys and values lie.
void Transformer::place_tokens(std::size_t layer, std::span<const Segment> segments,
                               std::size_t tokens) {
  places_.resize(tokens);
  scratch_kv_.resize(tokens);
  std::size_t positions = 0;
  for (const Segment& segment : segments) {
    KvRows* kv = segment.cache != nullptr ? &segment.cache->layer(layer) : &scratch_kv_;
    const std::size_t first_row = segment.cache != nullptr ? 0 : segment.first_token;
    for (std::size_t i = 0; i < segment.num_tokens; ++i)
      places_[segment.first_token + i] = {kv, first_row, segment.past + i};
    positions = std::max(positions, segment.past + segment.num_tokens);
  }
  rope_.extend_to(positions);
}

void Transformer::rotate_and_store(std::size_t layer, AttentionProjections& projections) {
  const Hyperparameters& h = model_.parameters();
  const LayerWeights& weights = model_.layer(layer);
  const auto norm_and_rotate = [&](float* heads, std::size_t num_heads,
                                   const std::vector<float>& norm, std::size_t position) {
    for (float* head = heads; head < heads + num_heads * h.head_dim; head += h.head_dim) {
      table_.rms_norm(head, norm.data(), h.head_dim, h.rms_epsilon, head);
      table_.rope_neox(head, rope_.cos(position), rope_.sin(position), rope_.half());
    }
  };
  const int threads = threads_for(projections.query.size() + projections.key.size(), kElementWork);
  parallel_for(threads, places_.size(), [&](IndexRange range) {
    for (std::size_t token = range.begin; token < range.end; ++token) {
      const TokenPlace& place = places_[token];
      float* key = projections.key.data() + token * h.kv_dim();
      norm_and_rotate(projections.query.data() + token * h.query_dim(), h.num_heads,
                      weights.query_norm, place.position);
      norm_and_rotate(key, h.num_kv_heads, weights.key_norm, place.position);
      place.kv->write(table_, place.first_row + place.position, key,
                      projections.value.data() + token * h.kv_dim());
    }
  });
}

void Transformer::attend(const AttentionProjections& projections) {
  const Hyperparameters& h = model_.parameters();
  const float scale = 1.0F / std::sqrt(static_cast<float>(h.head_dim));
  const std::size_t heads_per_kv = h.num_heads / h.num_kv_heads;
  const std::size_t tokens = places_.size();
  mixed_.assign(projections.query.size(), 0.0F);
  std::size_t num_pairs = 0;  // of a token and a position that it sees
  for (const TokenPlace& place : places_) num_pairs += place.position + 1;
  parallel_for(
      threads_for(num_pairs, 2 * h.query_dim()), tokens * h.num_heads, [&](IndexRange range) {
        std::vector<float> scores;
        for (std::size_t item = range.begin; item < range.end; ++item) {
          // Late tokens see more than early ones: alternate between both ends, so that ranges cost
          // the same.
          const std::size_t turn = item / h.num_heads;
          const std::size_t token = turn % 2 == 0 ? turn / 2 : tokens - 1 - turn / 2;
          const std::size_t head = item % h.num_heads;
          const TokenPlace& place = places_[token];
          const std::size_t kv_first = head / heads_per_kv * h.head_dim;
          const float* query = projections.query.data() + token * h.query_dim() + head * h.head_dim;
          float* out = mixed_.data() + token * h.query_dim() + head * h.head_dim;
          scores.resize(place.position + 1);
          for (std::size_t j = 0; j < scores.size(); ++j)
            scores[j] =
                place.kv->dot_key(table_, place.first_row + j, kv_first, query, h.head_dim) * scale;
          table_.softmax(scores.data(), scores.size());
          for (std::size_t j = 0; j < scores.size(); ++j)
            place.kv->add_value(table_, place.first_row + j, kv_first, scores[j], out, h.head_dim);
        }
      });
}

}  // namespace bankai::model
