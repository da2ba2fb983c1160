#include "model/binary_transformer.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kBlockRows = 64;  // rows whose results fill a word

// The bits of `numbers` that most of three have.
std::uint64_t majority(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return (a & b) | (a & c) | (b & c);
}

}  // namespace

BinaryTransformer::BinaryTransformer(const BinaryModel& model, const kernels::KernelTable& table,
                                     const BinaryOptions& options)
    : model_(model),
      table_(table),
      options_(options),
      codebook_(to_panels(model.codebook)),
      attention_(model.shape.width, model.shape.num_heads) {
  for (const BinaryLayer& layer : model.layers)
    layers_.push_back({packed(layer.q), packed(layer.k), packed(layer.v), packed(layer.o),
                       packed(layer.gate), packed(layer.up), packed(layer.down)});
}

BinaryTransformer::Linear BinaryTransformer::packed(const BinaryLinear& linear) {
  return {linear.weights.rows, linear.weights.cols, to_panels(linear.weights), linear.thresholds};
}

void BinaryTransformer::for_each_token(std::size_t tokens,
                                       const std::function<void(std::size_t)>& body) const {
  parallel_for(options_.threads, tokens, [&](IndexRange range) {
    for (std::size_t token = range.begin; token < range.end; ++token) body(token);
  });
}

// Divides the work by tokens if there are enough of them, else by rows.
void BinaryTransformer::multiply(std::span<const Product> products, std::size_t tokens) const {
  const auto multiply_part = [&](const Product& product, IndexRange blocks, IndexRange of_tokens) {
    const Linear& linear = *product.linear;
    const std::size_t first = blocks.begin * kBlockRows;
    const std::size_t rows = std::min(linear.rows, blocks.end * kBlockRows) - first;
    const std::size_t in_words = BinaryMatrix::words_of(linear.cols);
    const std::size_t out_words = BinaryMatrix::words_of(linear.rows);
    table_.xnor_threshold(linear.panels.data() + first * in_words, rows,
                          product.in + of_tokens.begin * in_words, of_tokens.size(), linear.cols,
                          linear.thresholds.data() + first,
                          product.out + of_tokens.begin * out_words + blocks.begin);
  };
  const auto blocks_of = [](const Product& product) {
    return BinaryMatrix::words_of(product.linear->rows);
  };
  if (options_.threads <= 1 || tokens >= static_cast<std::size_t>(options_.threads)) {
    parallel_for(options_.threads, tokens, [&](IndexRange range) {
      for (const Product& product : products)
        multiply_part(product, {0, blocks_of(product)}, range);
    });
    return;
  }
  std::size_t num_blocks = 0;
  for (const Product& product : products) num_blocks += blocks_of(product);
  parallel_for(options_.threads, num_blocks, [&](IndexRange range) {
    std::size_t first = 0;  // of the product, among all blocks
    for (const Product& product : products) {
      const std::size_t end = first + blocks_of(product);
      const IndexRange mine{std::max(first, range.begin), std::min(end, range.end)};
      for (std::size_t token = 0; mine.begin < mine.end && token < tokens; ++token)
        multiply_part(product, {mine.begin - first, mine.end - first}, {token, token + 1});
      first = end;
    }
  });
}

void BinaryTransformer::run_layer(std::size_t layer, std::size_t tokens, BinaryCache& cache) {
  const Layer& weights = layers_[layer];
  const std::size_t words = state_words();
  const std::size_t past = cache.positions() - tokens;
  {
    const StageClock clock(times_, Stage::kProject);
    const Product products[] = {{&weights.q, states_.data(), q_.data()},
                                {&weights.k, states_.data(), k_.data()},
                                {&weights.v, states_.data(), v_.data()}};
    multiply(products, tokens);
  }
  {
    const StageClock clock(times_, Stage::kAttend);
    for (std::size_t token = 0; token < tokens; ++token)
      cache.store(layer, past + token, k_.data() + token * words, v_.data() + token * words);
    // A bit that differs takes 2 from a sum of signs and 1 from a count of equal bits.
    const std::int64_t bit_cost = options_.score == PointerScore::kDot ? 2 : 1;
    for_each_token(tokens, [&](std::size_t token) {
      attention_.attend(table_, q_.data() + token * words, cache, layer, past + token, bit_cost,
                        model_.layers[layer].slopes, options_.tie,
                        attended_.data() + token * words);
    });
  }
  {
    const StageClock clock(times_, Stage::kOutput);
    const Product product{&weights.o, attended_.data(), from_attention_.data()};
    multiply({&product, 1}, tokens);
  }
  {
    const StageClock clock(times_, Stage::kGateUp);
    const Product products[] = {{&weights.gate, states_.data(), gate_.data()},
                                {&weights.up, states_.data(), up_.data()}};
    multiply(products, tokens);
  }
  {
    const StageClock clock(times_, Stage::kActivate);
    const std::size_t hidden_words = BinaryMatrix::words_of(model_.shape.feed_forward);
    const std::uint64_t last = BinaryMatrix::last_word_mask(model_.shape.feed_forward);
    for (std::size_t i = 0; i < gate_.size(); ++i)  // the product of two signs: are they equal?
      gate_[i] =
          ~(gate_[i] ^ up_[i]) & (i % hidden_words == hidden_words - 1 ? last : ~std::uint64_t{0});
  }
  {
    const StageClock clock(times_, Stage::kDown);
    const Product product{&weights.down, gate_.data(), from_feed_forward_.data()};
    multiply({&product, 1}, tokens);
    for (std::size_t i = 0; i < states_.size(); ++i)
      states_[i] = majority(states_[i], from_attention_[i], from_feed_forward_[i]);
  }
}

std::span<const std::uint64_t> BinaryTransformer::run(std::span<const TokenId> tokens,
                                                      BinaryCache& cache) {
  const std::size_t words = state_words();
  for (std::vector<std::uint64_t>* of_width :
       {&states_, &q_, &k_, &v_, &attended_, &from_attention_, &from_feed_forward_})
    of_width->resize(tokens.size() * words);
  for (std::vector<std::uint64_t>* hidden : {&gate_, &up_})
    hidden->resize(tokens.size() * BinaryMatrix::words_of(model_.shape.feed_forward));
  {
    const StageClock clock(times_, Stage::kEmbed);
    cache.set_positions(cache.positions() + tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto token = static_cast<std::size_t>(tokens[i]);
      BANKAI_CHECK(tokens[i] >= 0 && token < model_.shape.vocabulary, "no such token");
      std::copy_n(model_.embedding.row(token), words, states_.data() + i * words);
    }
  }
  for (std::size_t layer = 0; layer < model_.layers.size(); ++layer)
    run_layer(layer, tokens.size(), cache);
  return states_;
}

void BinaryTransformer::logits(std::span<const std::uint64_t> states,
                               std::span<std::int64_t> logits) const {
  const StageClock clock(times_, Stage::kHead);
  const std::size_t vocabulary = model_.shape.vocabulary;
  const std::size_t rows = states.size() / state_words();
  BANKAI_CHECK(logits.size() == rows * vocabulary, "room for other logits than these");
  std::vector<std::int32_t> dots(logits.size());
  table_.xnor_gemm(codebook_.data(), vocabulary, states.data(), rows, model_.shape.width,
                   dots.data(), vocabulary);
  for (std::size_t i = 0; i < dots.size(); ++i)
    logits[i] = model_.logit_multiplier * dots[i] + model_.biases[i % vocabulary];
}

}  // namespace bankai::model
