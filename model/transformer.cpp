#include "model/transformer.h"

#include <algorithm>

#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kLeastParallelWork = std::size_t{1}
                                           << 20U;  // multiply-adds, some 10 µs of one core

}  // namespace

ForwardOptions forward_options(kernels::ActivationMode mode, int threads) {
  const bool fine = mode == kernels::ActivationMode::kA16;
  return {mode, fine ? KvStorage::kF32 : KvStorage::kF16, threads};
}

Transformer::Transformer(const Model& model, const kernels::KernelTable& table,
                         ForwardOptions options)
    : model_(model),
      table_(table),
      options_(options),
      rope_(model.parameters().rope),
      scratch_kv_(options.kv, model.parameters().num_kv_heads, model.parameters().head_dim) {
  const Hyperparameters& h = model.parameters();
  if (!options.kv.rotates() || !h.has_qk_norm) return;
  for (std::size_t layer = 0; layer < h.num_layers; ++layer)
    norms_.push_back(
        balance_norms(model.layer(layer).query_norm, model.layer(layer).key_norm, h.rope));
}

void Transformer::embed(std::span<const TokenId> tokens, const Replacements& replacements,
                        float* x) const {
  const StageClock clock(stage_times_, Stage::kEmbed);
  const WeightMatrix& embedding = model_.embedding();
  const std::size_t width = model_.parameters().embedding;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto row = static_cast<std::size_t>(tokens[t]);
    kernels::WeightRows one = embedding.weights.slice(row, 1);
    if (replacements.overlay != nullptr)
      if (const std::uint8_t* bytes = replacements.overlay->find_row(embedding.address, row))
        one.data = bytes;
    for (const LocalRow& local : replacements.local)
      if (local.address == embedding.address && local.row == row &&
          t - local.first_token < local.num_tokens)
        one.data = local.bytes;
    kernels::widen_row(one, 0, x + t * width);
    if (embedding.scale != 1.0F)
      for (std::size_t i = 0; i < width; ++i) x[t * width + i] *= embedding.scale;
  }
}

// Work that is done before other threads would have woken up stays on this one.
int Transformer::threads_for(std::size_t elements, std::size_t work_per_element) const {
  return elements * work_per_element < kLeastParallelWork ? 1 : options_.threads;
}

void Transformer::quantise(std::size_t rows, const float* x, std::size_t cols,
                           const std::vector<float>& norm, kernels::ActivationBlock& out) const {
  out.resize(options_.activations, rows, cols, model_.has_float_matrices());
  parallel_for(threads_for(rows * cols, kElementWork), rows, [&](IndexRange range) {
    thread_local std::vector<float> normalised;
    normalised.resize(norm.size());
    for (std::size_t t = range.begin; t < range.end; ++t) {
      const float* row = x + t * cols;
      if (!norm.empty()) {
        table_.rms_norm(row, norm.data(), cols, model_.parameters().rms_epsilon, normalised.data());
        row = normalised.data();
      }
      out.set_token(table_, t, row);
    }
  });
}

void Transformer::normalise(std::size_t rows, const float* x, const std::vector<float>& weight,
                            kernels::ActivationBlock& out) const {
  const StageClock clock(stage_times_, Stage::kNorm);
  quantise(rows, x, weight.size(), weight, out);
}

void Transformer::add_to_residual(std::size_t tokens, const float* delta, float* x) const {
  const std::size_t width = model_.parameters().embedding;
  parallel_for(threads_for(tokens * width, 1), tokens, [&](IndexRange range) {
    table_.add_f32(delta + range.begin * width, x + range.begin * width, range.size() * width);
  });
}

void Transformer::project_attention(std::size_t layer, std::size_t tokens, const float* x,
                                    const Replacements& replacements,
                                    AttentionProjections& projections) {
  const Hyperparameters& h = model_.parameters();
  const LayerWeights& weights = model_.layer(layer);
  normalise(tokens, x, weights.attention_norm, activations_);
  projections.query.resize(tokens * h.query_dim());
  projections.key.resize(tokens * h.kv_dim());
  projections.value.resize(tokens * h.kv_dim());
  const StageClock clock(stage_times_, Stage::kProject);
  const Product products[] = {{weights.query, projections.query.data()},
                              {weights.key, projections.key.data()},
                              {weights.value, projections.value.data()}};
  multiply(products, tokens, replacements);
}

void Transformer::project_queries(std::size_t layer, std::size_t tokens, const float* x,
                                  const Replacements& replacements,
                                  AttentionProjections& projections) {
  const LayerWeights& weights = model_.layer(layer);
  normalise(tokens, x, weights.attention_norm, activations_);
  projections.query.resize(tokens * model_.parameters().query_dim());
  const StageClock clock(stage_times_, Stage::kProject);
  const Product product{weights.query, projections.query.data()};
  multiply({&product, 1}, tokens, replacements);
}

void Transformer::project_keys_values(std::size_t layer, std::size_t tokens, const float* x,
                                      const Replacements& replacements,
                                      AttentionProjections& projections) {
  const LayerWeights& weights = model_.layer(layer);
  normalise(tokens, x, weights.attention_norm, activations_);
  projections.key.resize(tokens * model_.parameters().kv_dim());
  projections.value.resize(tokens * model_.parameters().kv_dim());
  const StageClock clock(stage_times_, Stage::kProject);
  const Product products[] = {{weights.key, projections.key.data()},
                              {weights.value, projections.value.data()}};
  multiply(products, tokens, replacements);
}

const std::vector<float>& Transformer::mix_values(std::size_t layer,
                                                  std::span<const Segment> segments,
                                                  AttentionProjections& projections,
                                                  std::span<const std::size_t> query_tokens) {
  place_tokens(layer, segments, projections.key.size() / model_.parameters().kv_dim());
  collect_runs(query_tokens);
  attend(layer, segments, projections);
  return mixed_;
}

void Transformer::finish_attention(std::size_t layer, std::span<const Segment> segments,
                                   AttentionProjections& projections,
                                   const Replacements& replacements, float* x,
                                   std::span<const std::size_t> query_tokens) {
  mix_values(layer, segments, projections, query_tokens);
  finish_output(layer, projections.query.size() / model_.parameters().query_dim(), mixed_.data(),
                replacements, x);
}

void Transformer::finish_output(std::size_t layer, std::size_t tokens, const float* mixed,
                                const Replacements& replacements, float* x) {
  const Hyperparameters& h = model_.parameters();
  const StageClock clock(stage_times_, Stage::kOutput);
  quantise(tokens, mixed, h.query_dim(), model_.layer(layer).attention_sub_norm, activations_);
  delta_.resize(tokens * h.embedding);
  const Product product{model_.layer(layer).output, delta_.data()};
  multiply({&product, 1}, tokens, replacements);
  add_to_residual(tokens, delta_.data(), x);
}

void Transformer::project_ffn(std::size_t layer, std::size_t tokens, const float* x,
                              const Replacements& replacements, FfnProjections& projections) {
  const LayerWeights& weights = model_.layer(layer);
  normalise(tokens, x, weights.ffn_norm, activations_);
  projections.gate.resize(tokens * model_.parameters().feed_forward);
  projections.up.resize(tokens * model_.parameters().feed_forward);
  const StageClock clock(stage_times_, Stage::kGateUp);
  const Product products[] = {{weights.gate, projections.gate.data()},
                              {weights.up, projections.up.data()}};
  multiply(products, tokens, replacements);
}

void Transformer::activate(const float* gate, const float* up, std::size_t n, float* out) const {
  const bool is_relu2 = model_.parameters().activation == Activation::kRelu2;
  (is_relu2 ? table_.relu2_mul : table_.silu_mul)(gate, up, n, out);
}

void Transformer::activate_ffn(FfnProjections& projections) const {
  const StageClock clock(stage_times_, Stage::kActivate);
  float* gate = projections.gate.data();
  const float* up = projections.up.data();
  parallel_for(threads_for(projections.gate.size(), kElementWork), projections.gate.size(),
               [&](IndexRange range) {
                 activate(gate + range.begin, up + range.begin, range.size(), gate + range.begin);
               });
}

void Transformer::finish_ffn(std::size_t layer, std::size_t tokens, const float* hidden,
                             const Replacements& replacements, float* x) {
  const Hyperparameters& h = model_.parameters();
  const StageClock clock(stage_times_, Stage::kDown);
  quantise(tokens, hidden, h.feed_forward, model_.layer(layer).ffn_sub_norm, activations_);
  delta_.resize(tokens * h.embedding);
  const Product product{model_.layer(layer).down, delta_.data()};
  multiply({&product, 1}, tokens, replacements);
  add_to_residual(tokens, delta_.data(), x);
}

void Transformer::run_layers(std::size_t first, std::size_t last, std::span<const Segment> segments,
                             const Replacements& replacements, float* x) {
  std::size_t tokens = 0;
  for (const Segment& segment : segments) tokens += segment.num_tokens;
  with_threads_at_hand(options_.threads, [&] {
    for (std::size_t layer = first; layer < last; ++layer) {
      project_attention(layer, tokens, x, replacements, attention_);
      finish_attention(layer, segments, attention_, replacements, x);
      project_ffn(layer, tokens, x, replacements, ffn_);
      activate_ffn(ffn_);
      finish_ffn(layer, tokens, ffn_.gate.data(), replacements, x);
    }
  });
}

void Transformer::logits(std::size_t rows, const float* x, const Replacements& replacements,
                         float* out) {
  normalise(rows, x, model_.output_norm(), activations_);
  const StageClock clock(stage_times_, Stage::kHead);
  const Product product{model_.head(), out};
  multiply({&product, 1}, rows, replacements);
}

}  // namespace bankai::model
