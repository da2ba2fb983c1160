#include "model/binary_residual_transformer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

// Rows of `cols` floats as rows of signs.
std::vector<std::uint64_t> signs_of(std::span<const float> values, std::size_t cols) {
  const std::size_t words = BinaryMatrix::words_of(cols);
  std::vector<std::uint64_t> bits(values.size() / cols * words);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] >= 0.0F)
      bits[i / cols * words + i % cols / 64] |= std::uint64_t{1} << i % cols % 64;
  return bits;
}

}  // namespace

BinaryResidualTransformer::BinaryResidualTransformer(const BinaryResidualModel& model,
                                                     const kernels::KernelTable& table, int threads)
    : model_(model),
      table_(table),
      threads_(threads),
      attention_(model.shape.width, model.shape.num_heads),
      output_(packed(model.output)) {
  for (const BinaryResidualLayer& layer : model.layers)
    layers_.push_back({packed(layer.q), packed(layer.k), packed(layer.v), packed(layer.o),
                       packed(layer.gate), packed(layer.up), packed(layer.down)});
}

BinaryResidualTransformer::Channels BinaryResidualTransformer::packed(
    const BinaryChannels& channels) const {
  const float root = std::sqrt(static_cast<float>(channels.weights.cols));
  return {&channels, to_panels(channels.weights), model_.rules.divide_by_root ? 1.0F / root : 1.0F};
}

BinaryResidualTransformer::Bits BinaryResidualTransformer::norm_signs(
    const std::vector<float>& x, const std::vector<float>& gamma) const {
  const std::size_t width = gamma.size();
  std::vector<float> normalised(x.size());
  for (std::size_t i = 0; i < x.size(); i += width)
    table_.rms_norm(x.data() + i, gamma.data(), width, model_.rules.epsilon, normalised.data() + i);
  return signs_of(normalised, width);
}

std::vector<float> BinaryResidualTransformer::affine(const Channels& channels, const Bits& in,
                                                     std::size_t tokens) const {
  const BinaryMatrix& weights = channels.source->weights;
  const std::vector<float>& scale = channels.source->scale;
  const std::vector<float>& offset = channels.source->offset;
  std::vector<float> out(tokens * weights.rows);
  parallel_for(threads_, tokens, [&](IndexRange range) {
    std::vector<std::int32_t> sums(weights.rows);
    for (std::size_t token = range.begin; token < range.end; ++token) {
      table_.xnor_gemm(channels.panels.data(), weights.rows,
                       in.data() + token * weights.row_words(), 1, weights.cols, sums.data(),
                       weights.rows);
      for (std::size_t r = 0; r < weights.rows; ++r) {
        const float sum = static_cast<float>(sums[r]) * channels.sum_scale;
        out[token * weights.rows + r] = model_.rules.offset_before_scale
                                            ? scale[r] * (sum + offset[r])
                                            : scale[r] * sum + offset[r];
      }
    }
  });
  return out;
}

BinaryResidualTransformer::Bits BinaryResidualTransformer::affine_signs(const Channels& channels,
                                                                        const Bits& in,
                                                                        std::size_t tokens) const {
  return signs_of(affine(channels, in, tokens), channels.source->weights.rows);
}

void BinaryResidualTransformer::add_attention(std::size_t layer, const Bits& in, BinaryCache& cache,
                                              std::vector<float>& x) const {
  const Layer& weights = layers_[layer];
  const std::size_t words = BinaryMatrix::words_of(model_.shape.width);
  const std::size_t tokens = in.size() / words;
  const std::size_t past = cache.positions() - tokens;
  const Bits q = affine_signs(weights.q, in, tokens);
  const Bits k = affine_signs(weights.k, in, tokens);
  const Bits v = affine_signs(weights.v, in, tokens);
  for (std::size_t token = 0; token < tokens; ++token)
    cache.store(layer, past + token, k.data() + token * words, v.data() + token * words);
  Bits pointed(in.size());
  parallel_for(threads_, tokens, [&](IndexRange range) {
    for (std::size_t token = range.begin; token < range.end; ++token)
      attention_.attend(table_, q.data() + token * words, cache, layer, past + token,
                        2 * std::int64_t{model_.rules.slope_denominator}, model_.slopes,
                        model_.rules.tie, pointed.data() + token * words);
  });
  const std::vector<float> change = affine(weights.o, pointed, tokens);
  table_.add_f32(change.data(), x.data(), x.size());
}

void BinaryResidualTransformer::add_feed_forward(std::size_t layer, const Bits& in,
                                                 std::vector<float>& x) const {
  const Layer& weights = layers_[layer];
  const std::size_t tokens = in.size() / BinaryMatrix::words_of(model_.shape.width);
  Bits hidden = affine_signs(weights.gate, in, tokens);
  const Bits up = affine_signs(weights.up, in, tokens);
  // The product of two signs: are they equal? Rows fill whole words.
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = ~(hidden[i] ^ up[i]);
  const std::vector<float> change = affine(weights.down, hidden, tokens);
  table_.add_f32(change.data(), x.data(), x.size());
}

std::vector<float> BinaryResidualTransformer::run(std::span<const TokenId> tokens,
                                                  BinaryCache& cache) const {
  const std::size_t width = model_.shape.width;
  cache.set_positions(cache.positions() + tokens.size());
  std::vector<float> x(tokens.size() * width);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto token = static_cast<std::size_t>(tokens[i]);
    BANKAI_CHECK(tokens[i] >= 0 && token < model_.shape.vocabulary, "no such token");
    std::copy_n(model_.embedding.data() + token * width, width, x.data() + i * width);
  }
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const BinaryResidualLayer& source = model_.layers[layer];
    const Bits before = norm_signs(x, source.attention_norm);
    add_attention(layer, before, cache, x);
    add_feed_forward(
        layer, model_.rules.parallel_block ? before : norm_signs(x, source.feed_forward_norm), x);
  }
  return affine(output_, norm_signs(x, model_.output_norm), tokens.size());
}

}  // namespace bankai::model
