#include "model/half_layer_backward.h"

#include <algorithm>

#include "core/check.h"
#include "model/gradient_steps.h"
#include "model/parallel.h"
#include "model/transposed_products.h"

namespace bankai::model {

HalfLayerBackward::HalfLayerBackward(Transformer& transformer, bool fine)
    : transformer_(transformer),
      h_(transformer.model().parameters()),
      table_(transformer.table()),
      threads_(transformer.options().threads),
      fine_(fine),
      rope_(h_.rope) {}

// What ffn() and attention() take for each token, the larger of both.
std::size_t HalfLayerBackward::arena_floats() const {
  const std::size_t ffn = 3 * h_.feed_forward + 2 * h_.embedding;
  const std::size_t attention = 4 * h_.query_dim() + 4 * h_.kv_dim() + 2 * h_.embedding;
  return std::max(ffn, attention);
}

std::size_t HalfLayerBackward::bytes_per_token() const {
  const std::size_t floats =
      arena_floats() + std::max(2 * h_.feed_forward, AttentionParts::floats(h_));
  const std::size_t digits = 2 * (h_.embedding + std::max(h_.feed_forward, h_.query_dim()));
  return floats * sizeof(float) + digits;
}

void HalfLayerBackward::begin(std::size_t tokens) {
  if (arena_.size() < tokens * arena_floats()) arena_.resize(tokens * arena_floats());
  taken_ = 0;
}

float* HalfLayerBackward::take(std::size_t floats) {
  BANKAI_CHECK(taken_ + floats <= arena_.size(), "more arrays than arena_floats() counts");
  taken_ += floats;
  return arena_.data() + taken_ - floats;
}

void HalfLayerBackward::multiply(const WeightMatrix& matrix, const RowOverlay& overlay,
                                 std::size_t tokens, const float* gradient, float* out) const {
  multiply_transposed(table_, threads_, matrix, overlay, tokens, gradient, fine_, out);
}

void HalfLayerBackward::through_norm(std::size_t rows, const float* x,
                                     const std::vector<float>& norm, float* gradient) const {
  const std::size_t n = norm.size();
  if (n == 0) return;
  parallel_for(threads_, rows, [&](IndexRange range) {
    for (std::size_t row = range.begin; row < range.end; ++row)
      norm_gradient(table_, x + row * n, norm.data(), gradient + row * n, n, h_.rms_epsilon,
                    gradient + row * n);
  });
}

// behind − front: what the half-layer added.
void HalfLayerBackward::finish_rows(std::size_t tokens, const ResidualSlice& residual) const {
  parallel_for(threads_, tokens * h_.embedding, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) residual.behind[i] -= residual.front[i];
  });
}

// Through the projections that read the normed rows, and through that norm.
void HalfLayerBackward::add_input_gradient(std::size_t tokens, std::span<const Term> terms,
                                           const std::vector<float>& norm,
                                           const BackwardBlock& block,
                                           const ResidualSlice& residual) {
  const std::size_t count = tokens * h_.embedding;
  float* sum = take(count);
  float* term_sum = take(count);
  const auto add = [&](const float* from, float* to) {
    parallel_for(threads_, count, [&](IndexRange range) {
      table_.add_f32(from + range.begin, to + range.begin, range.size());
    });
  };
  multiply(terms[0].matrix, block.overlay, tokens, terms[0].gradient, sum);
  for (const Term& term : terms.subspan(1)) {
    multiply(term.matrix, block.overlay, tokens, term.gradient, term_sum);
    add(term_sum, sum);
  }
  through_norm(tokens, residual.front, norm, sum);
  add(sum, residual.gradient);
}

void HalfLayerBackward::ffn(std::size_t layer, std::span<const std::size_t> tokens,
                            const FfnProjections& projections, const BackwardBlock& block,
                            bool goes_on, const ResidualSlice& residual) {
  const float* gate = projections.gate.data();
  const float* up = projections.up.data();
  const LayerWeights& weights = transformer_.model().layer(layer);
  const std::size_t num_tokens = tokens.size();
  const std::size_t count = num_tokens * h_.feed_forward;
  begin(num_tokens);
  transformer_.normalise(num_tokens, residual.front, weights.ffn_norm, input_);
  float* gate_gradient = take(count);
  float* up_gradient = take(count);
  float* hidden_gradient = take(count);
  float* hidden = gate_gradient;  // until the gradient is known
  parallel_for(threads_, count, [&](IndexRange range) {
    transformer_.activate(gate + range.begin, up + range.begin, range.size(), hidden + range.begin);
  });
  transformer_.quantise(num_tokens, hidden, h_.feed_forward, weights.ffn_sub_norm, inner_input_);
  multiply(weights.down, block.overlay, num_tokens, residual.gradient, hidden_gradient);
  through_norm(num_tokens, hidden, weights.ffn_sub_norm, hidden_gradient);
  parallel_for(threads_, count, [&](IndexRange range) {
    activation_gradient(table_, h_.activation, gate + range.begin, up + range.begin,
                        hidden_gradient + range.begin, range.size(), gate_gradient + range.begin,
                        up_gradient + range.begin);
  });
  finish_rows(num_tokens, residual);
  block.visitor.visit_ffn(layer, {.tokens = tokens,
                                  .gate = {&input_, gate, gate_gradient},
                                  .up = {&input_, up, up_gradient},
                                  .down = {&inner_input_, residual.behind, residual.gradient},
                                  .hidden_gradient = hidden_gradient});
  if (!goes_on) return;
  const Term terms[] = {{weights.gate, gate_gradient}, {weights.up, up_gradient}};
  add_input_gradient(num_tokens, terms, weights.ffn_norm, block, residual);
}

// From gradients of rotated heads (tokens, num_heads, head_dim) to those of the heads, in place.
void HalfLayerBackward::unrotate(std::span<const Segment> segments, std::size_t num_heads,
                                 float* gradient) {
  std::size_t longest = 0;
  for (const Segment& segment : segments) longest = std::max(longest, segment.num_tokens);
  rope_.extend_to(longest);
  parallel_for(threads_, segments.size(), [&](IndexRange range) {
    for (std::size_t s = range.begin; s < range.end; ++s)
      for (std::size_t i = 0; i < segments[s].num_tokens * num_heads; ++i) {
        const std::size_t head = segments[s].first_token * num_heads + i;
        const std::size_t position = i / num_heads;
        unrotate_gradient(gradient + head * h_.head_dim, rope_.cos(position), rope_.sin(position),
                          rope_.half());
        if (h_.rope.neighbours) join_pairs(gradient + head * h_.head_dim, rope_.half());
      }
  });
}

// Room for what follows from the projected heads.
HalfLayerBackward::Heads HalfLayerBackward::take_heads(std::size_t num_heads,
                                                       const std::vector<float>& norm,
                                                       const std::vector<float>& output) {
  Heads heads{num_heads, norm, output.data(), nullptr, take(output.size()), nullptr};
  heads.own_normed = h_.has_qk_norm ? take(output.size()) : nullptr;
  heads.gradient = h_.has_qk_norm ? take(output.size()) : heads.normed_gradient;
  return heads;
}

// From the gradient of rotated heads, in normed_gradient, to those of normed and projected ones.
void HalfLayerBackward::finish_heads(std::span<const Segment> segments, std::size_t tokens,
                                     const Heads& heads) {
  unrotate(segments, heads.num_heads, heads.normed_gradient);
  if (!h_.has_qk_norm) return;
  parallel_for(threads_, tokens * heads.num_heads, [&](IndexRange range) {
    for (std::size_t head = range.begin; head < range.end; ++head) {
      const std::size_t at = head * h_.head_dim;
      table_.rms_norm(heads.output + at, heads.norm.data(), h_.head_dim, h_.rms_epsilon,
                      heads.own_normed + at);
      norm_gradient(table_, heads.output + at, heads.norm.data(), heads.normed_gradient + at,
                    h_.head_dim, h_.rms_epsilon, heads.gradient + at);
    }
  });
}

void HalfLayerBackward::attention(std::size_t layer, std::span<const std::size_t> tokens,
                                  const AttentionParts& parts, const BackwardBlock& block,
                                  bool goes_on, const ResidualSlice& residual) {
  const LayerWeights& weights = transformer_.model().layer(layer);
  const std::size_t num_tokens = tokens.size();
  begin(num_tokens);
  transformer_.normalise(num_tokens, residual.front, weights.attention_norm, input_);
  const Heads query = take_heads(h_.num_heads, weights.query_norm, parts.query);
  const Heads key = take_heads(h_.num_kv_heads, weights.key_norm, parts.key);
  float* value_gradient = take(parts.rotated.value.size());
  float* mixed_gradient = take(parts.mixed.size());
  transformer_.quantise(num_tokens, parts.mixed.data(), h_.query_dim(), weights.attention_sub_norm,
                        inner_input_);
  multiply(weights.output, block.overlay, num_tokens, residual.gradient, mixed_gradient);
  through_norm(num_tokens, parts.mixed.data(), weights.attention_sub_norm, mixed_gradient);
  attention_gradients(table_, threads_, h_, block.segments, parts.rotated, mixed_gradient,
                      {query.normed_gradient, key.normed_gradient, value_gradient});
  finish_heads(block.segments, num_tokens, query);
  finish_heads(block.segments, num_tokens, key);
  finish_rows(num_tokens, residual);
  block.visitor.visit_attention(layer,
                                {.tokens = tokens,
                                 .query = {&input_, query.output, query.gradient},
                                 .key = {&input_, key.output, key.gradient},
                                 .value = {&input_, parts.rotated.value.data(), value_gradient},
                                 .output = {&inner_input_, residual.behind, residual.gradient},
                                 .query_normed = query.normed(),
                                 .query_normed_gradient = query.normed_gradient,
                                 .key_normed = key.normed(),
                                 .key_normed_gradient = key.normed_gradient});
  if (!goes_on) return;
  const Term terms[] = {{weights.query, query.gradient},
                        {weights.key, key.gradient},
                        {weights.value, value_gradient}};
  add_input_gradient(num_tokens, terms, weights.attention_norm, block, residual);
}

}  // namespace bankai::model
