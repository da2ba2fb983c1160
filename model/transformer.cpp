#include "model/transformer.h"

#include <algorithm>

#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kLeastParallelWork = std::size_t{1}
                                           << 20U;  // multiply-adds, some 10 µs of one core
constexpr std::size_t kLeastTokensPerThread = 16;
constexpr std::size_t kRowBlock = 16;  // rows a product kernel takes at a time
constexpr std::size_t kTokenTile =
    256;  // tokens per kernel call: their digits stay in the second-level cache

}  // namespace

ForwardOptions forward_options(kernels::ActivationMode mode, int threads) {
  const bool fine = mode == kernels::ActivationMode::kA16;
  return {mode, fine ? KvType::kF32 : KvType::kF16, threads};
}

Transformer::Transformer(const Model& model, const kernels::KernelTable& table,
                         ForwardOptions options)
    : model_(model),
      table_(table),
      options_(options),
      rope_(model.parameters().rope),
      scratch_kv_(options.kv, model.parameters().kv_dim()) {}

void Transformer::embed(std::span<const TokenId> tokens, const Replacements& replacements,
                        float* x) const {
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
  }
}

// Work that is done before other threads would have woken up stays on this one.
int Transformer::threads_for(std::size_t elements, std::size_t work_per_element) const {
  return elements * work_per_element < kLeastParallelWork ? 1 : options_.threads;
}

void Transformer::quantise(std::size_t rows, const float* x, std::size_t cols) {
  activations_.resize(options_.activations, rows, cols);
  parallel_for(threads_for(rows * cols, kElementWork), rows, [&](IndexRange range) {
    for (std::size_t t = range.begin; t < range.end; ++t)
      activations_.set_token(table_, t, x + t * cols);
  });
}

void Transformer::normalise(std::size_t rows, const float* x, const std::vector<float>& weight,
                            kernels::ActivationBlock& out) const {
  const std::size_t width = weight.size();
  out.resize(options_.activations, rows, width);
  parallel_for(threads_for(rows * width, kElementWork), rows, [&](IndexRange range) {
    std::vector<float> row(width);
    for (std::size_t t = range.begin; t < range.end; ++t) {
      table_.rms_norm(x + t * width, weight.data(), width, model_.parameters().rms_epsilon,
                      row.data());
      out.set_token(table_, t, row.data());
    }
  });
}

void Transformer::multiply_row(const WeightMatrix& matrix, const std::uint8_t* bytes,
                               const kernels::ActivationBlock& activations, std::size_t first_token,
                               std::size_t num_tokens, float* out, std::size_t stride) const {
  kernels::WeightRows one = matrix.weights.slice(0, 1);
  one.data = bytes;
  parallel_for(threads_for(num_tokens, one.cols), num_tokens, [&](IndexRange range) {
    const std::size_t first = first_token + range.begin;
    kernels::matmul(table_, one, activations, first, range.size(), out + first * stride, stride);
  });
}

void Transformer::multiply(const WeightMatrix& matrix, std::size_t tokens,
                           const Replacements& replacements, float* out) {
  const std::size_t rows = matrix.weights.rows;
  const int threads = threads_for(tokens * rows, matrix.weights.cols);
  // Many tokens are divided by tokens, since a kernel prepares each token once per call; few by
  // rows.
  if (tokens >= static_cast<std::size_t>(std::max(threads, 1)) * kLeastTokensPerThread) {
    parallel_for(threads, tokens, [&](IndexRange range) {
      for (std::size_t token = range.begin; token < range.end; token += kTokenTile)
        kernels::matmul(table_, matrix.weights, activations_, token,
                        std::min(kTokenTile, range.end - token), out + token * rows, rows);
    });
  } else {
    const std::size_t blocks = (rows + kRowBlock - 1) / kRowBlock;
    parallel_for(threads, blocks, [&](IndexRange range) {
      const std::size_t first_row = range.begin * kRowBlock;
      const std::size_t num_rows = std::min(rows, range.end * kRowBlock) - first_row;
      kernels::matmul(table_, matrix.weights.slice(first_row, num_rows), activations_, 0, tokens,
                      out + first_row, rows);
    });
  }
  if (replacements.overlay != nullptr)
    if (const RowOverlay::Rows* replaced = replacements.overlay->find(matrix.address))
      for (const auto& [row, bytes] : *replaced)
        multiply_row(matrix, bytes.data(), activations_, 0, tokens, out + row, rows);
  for (const LocalRow& local : replacements.local)
    if (local.address == matrix.address)
      multiply_row(matrix, local.bytes, activations_, local.first_token, local.num_tokens,
                   out + local.row, rows);
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
  multiply(weights.query, tokens, replacements, projections.query.data());
  multiply(weights.key, tokens, replacements, projections.key.data());
  multiply(weights.value, tokens, replacements, projections.value.data());
}

void Transformer::finish_attention(std::size_t layer, std::span<const Segment> segments,
                                   AttentionProjections& projections,
                                   const Replacements& replacements, float* x) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t tokens = projections.query.size() / h.query_dim();
  place_tokens(layer, segments, tokens);
  rotate_and_store(layer, projections);
  attend(projections);
  quantise(tokens, mixed_.data(), h.query_dim());
  delta_.resize(tokens * h.embedding);
  multiply(model_.layer(layer).output, tokens, replacements, delta_.data());
  add_to_residual(tokens, delta_.data(), x);
}

void Transformer::project_ffn(std::size_t layer, std::size_t tokens, const float* x,
                              const Replacements& replacements, FfnProjections& projections) {
  const LayerWeights& weights = model_.layer(layer);
  normalise(tokens, x, weights.ffn_norm, activations_);
  projections.gate.resize(tokens * model_.parameters().feed_forward);
  projections.up.resize(tokens * model_.parameters().feed_forward);
  multiply(weights.gate, tokens, replacements, projections.gate.data());
  multiply(weights.up, tokens, replacements, projections.up.data());
}

void Transformer::activate_ffn(FfnProjections& projections) const {
  float* gate = projections.gate.data();
  const float* up = projections.up.data();
  parallel_for(threads_for(projections.gate.size(), kElementWork), projections.gate.size(),
               [&](IndexRange range) {
                 table_.silu_mul(gate + range.begin, up + range.begin, range.size(),
                                 gate + range.begin);
               });
}

void Transformer::finish_ffn(std::size_t layer, std::size_t tokens, const float* hidden,
                             const Replacements& replacements, float* x) {
  const Hyperparameters& h = model_.parameters();
  quantise(tokens, hidden, h.feed_forward);
  delta_.resize(tokens * h.embedding);
  multiply(model_.layer(layer).down, tokens, replacements, delta_.data());
  add_to_residual(tokens, delta_.data(), x);
}

void Transformer::run_layers(std::size_t first, std::size_t last, std::span<const Segment> segments,
                             const Replacements& replacements, float* x) {
  std::size_t tokens = 0;
  for (const Segment& segment : segments) tokens += segment.num_tokens;
  for (std::size_t layer = first; layer < last; ++layer) {
    project_attention(layer, tokens, x, replacements, attention_);
    finish_attention(layer, segments, attention_, replacements, x);
    project_ffn(layer, tokens, x, replacements, ffn_);
    activate_ffn(ffn_);
    finish_ffn(layer, tokens, ffn_.gate.data(), replacements, x);
  }
}

void Transformer::logits(std::size_t rows, const float* x, const Replacements& replacements,
                         float* out) {
  normalise(rows, x, model_.output_norm(), activations_);
  multiply(model_.head(), rows, replacements, out);
}

}  // namespace bankai::model
