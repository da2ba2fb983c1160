#include "model/binary_residual_transformer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

// Residual rows with what a half of a layer adds to them.
std::vector<float> sum_of(const kernels::KernelTable& table, std::vector<float> x,
                          const std::vector<float>& change) {
  table.add_f32(change.data(), x.data(), x.size());
  return x;
}

}  // namespace

BinaryResidualTransformer::BinaryResidualTransformer(const BinaryResidualModel& model,
                                                     const kernels::KernelTable& table, int threads)
    : model_(model),
      table_(table),
      threads_(threads),
      attention_(model.shape.width, model.shape.num_heads),
      output_(model.output, model.rules) {
  const auto signs = [&](const BinaryChannels& channels) {
    return SignProduct(channels, model.rules);
  };
  const auto floats = [&](const BinaryChannels& channels) {
    return AffineProduct(channels, model.rules);
  };
  for (const BinaryResidualLayer& layer : model.layers)
    layers_.push_back({signs(layer.q), signs(layer.k), signs(layer.v), floats(layer.o),
                       signs(layer.gate), signs(layer.up), floats(layer.down)});
}

std::vector<std::uint64_t> BinaryResidualTransformer::norm_signs(
    std::span<const float> x, const std::vector<float>& gamma) const {
  const std::size_t width = gamma.size();
  const std::size_t words = BinaryMatrix::words_of(width);
  Bits bits(x.size() / width * words);
  parallel_for(threads_, x.size() / width, [&](IndexRange range) {
    sign_norms(table_, x.data() + range.begin * width, range.size(), gamma, model_.rules.epsilon,
               bits.data() + range.begin * words);
  });
  return bits;
}

std::vector<std::uint64_t> BinaryResidualTransformer::multiply(const SignProduct& product,
                                                               const Bits& in) const {
  const std::size_t in_words = product.linear.in_words();
  const std::size_t out_words = product.linear.out_words();
  const std::size_t tokens = in.size() / in_words;
  Bits out(tokens * out_words);
  parallel_for(threads_, tokens, [&](IndexRange range) {
    product.run(table_, in.data() + range.begin * in_words, range.size(),
                out.data() + range.begin * out_words);
  });
  return out;
}

std::vector<float> BinaryResidualTransformer::multiply(const AffineProduct& product,
                                                       std::span<const std::uint64_t> in) const {
  const std::size_t in_words = BinaryMatrix::words_of(product.cols);
  const std::size_t tokens = in.size() / in_words;
  std::vector<float> out(tokens * product.rows);
  parallel_for(threads_, tokens, [&](IndexRange range) {
    product.run(table_, in.data() + range.begin * in_words, range.size(),
                out.data() + range.begin * product.rows);
  });
  return out;
}

void BinaryResidualTransformer::attend(std::size_t layer, std::size_t position,
                                       const std::uint64_t* query, const BinaryCache& cache,
                                       std::uint64_t* out) const {
  attention_.attend(table_, query, cache, layer, position,
                    2 * std::int64_t{model_.rules.slope_denominator}, model_.slopes,
                    model_.rules.tie, out);
}

void BinaryResidualTransformer::run_attention(std::size_t layer, BinaryCache& cache,
                                              ResidualLayerTrace& trace) const {
  const ResidualLayerProducts& products = layers_[layer];
  BinaryActivations& signs = trace.signs;
  const std::size_t words = BinaryMatrix::words_of(model_.shape.width);
  const std::size_t tokens = signs.state.size() / words;
  const std::size_t past = cache.positions() - tokens;
  signs.q = multiply(products.q, signs.state);
  signs.k = multiply(products.k, signs.state);
  signs.v = multiply(products.v, signs.state);
  for (std::size_t token = 0; token < tokens; ++token)
    cache.store(layer, past + token, signs.k.data() + token * words,
                signs.v.data() + token * words);
  signs.attended.resize(signs.state.size());
  parallel_for(threads_, tokens, [&](IndexRange range) {
    for (std::size_t token = range.begin; token < range.end; ++token)
      attend(layer, past + token, signs.q.data() + token * words, cache,
             signs.attended.data() + token * words);
  });
  trace.attention = multiply(products.o, signs.attended);
  trace.middle = sum_of(table_, trace.x, trace.attention);
}

ResidualLayerTrace BinaryResidualTransformer::run_layer(std::size_t layer, std::vector<float> x,
                                                        BinaryCache& cache) const {
  const BinaryResidualLayer& source = model_.layers[layer];
  const ResidualLayerProducts& products = layers_[layer];
  ResidualLayerTrace trace;
  BinaryActivations& signs = trace.signs;
  trace.x = std::move(x);
  signs.state = norm_signs(trace.x, source.attention_norm);
  run_attention(layer, cache, trace);
  trace.feed_forward_in = model_.rules.parallel_block
                              ? signs.state
                              : norm_signs(trace.middle, source.feed_forward_norm);
  signs.gate = multiply(products.gate, trace.feed_forward_in);
  signs.up = multiply(products.up, trace.feed_forward_in);
  signs.hidden.resize(signs.gate.size());
  // Rows fill whole words, so that those of all tokens are one.
  multiply_signs(signs.gate.data(), signs.up.data(), 64 * signs.hidden.size(), signs.hidden.data());
  trace.feed_forward = multiply(products.down, signs.hidden);
  trace.next = sum_of(table_, trace.middle, trace.feed_forward);
  return trace;
}

std::vector<float> BinaryResidualTransformer::embed(std::span<const TokenId> tokens) const {
  const std::size_t width = model_.shape.width;
  std::vector<float> x(tokens.size() * width);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto token = static_cast<std::size_t>(tokens[i]);
    BANKAI_CHECK(tokens[i] >= 0 && token < model_.shape.vocabulary, "no such token");
    std::copy_n(model_.embedding.data() + token * width, width, x.data() + i * width);
  }
  return x;
}

std::vector<float> BinaryResidualTransformer::logits(std::span<const std::uint64_t> top) const {
  return multiply(output_, top);
}

std::vector<float> BinaryResidualTransformer::run(std::span<const TokenId> tokens,
                                                  BinaryCache& cache, bool only_last) const {
  cache.set_positions(cache.positions() + tokens.size());
  std::vector<float> x = embed(tokens);
  for (std::size_t layer = 0; layer < layers_.size(); ++layer)
    x = run_layer(layer, std::move(x), cache).next;
  std::span<const float> rows = x;
  if (only_last) rows = rows.last(model_.shape.width);
  return logits(norm_signs(rows, model_.output_norm));
}

}  // namespace bankai::model
