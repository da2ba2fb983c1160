#include "model/binary_transformer.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kBlockRows = 64;  // rows whose results fill a word

}  // namespace

BinaryTransformer::BinaryTransformer(const BinaryModel& model, const kernels::KernelTable& table,
                                     const BinaryOptions& options)
    : model_(model),
      table_(table),
      options_(options),
      codebook_(to_panels(model.codebook)),
      attention_(model.shape.width, model.shape.num_heads) {
  for (const BinaryLayer& layer : model.layers) layers_.push_back(pack_layer(layer));
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
    const PackedLinear& linear = *product.linear;
    const std::size_t first = blocks.begin * kBlockRows;
    const std::size_t rows = std::min(linear.rows, blocks.end * kBlockRows) - first;
    const std::size_t in_words = linear.in_words(), out_words = linear.out_words();
    table_.xnor_threshold(linear.panels.data() + first * in_words, rows,
                          product.in + of_tokens.begin * in_words, of_tokens.size(), linear.cols,
                          linear.thresholds.data() + first,
                          product.out + of_tokens.begin * out_words + blocks.begin);
  };
  const auto blocks_of = [](const Product& product) { return product.linear->out_words(); };
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

void BinaryTransformer::attend(std::size_t layer, std::size_t position, const std::uint64_t* query,
                               const BinaryCache& cache, std::uint64_t* out) const {
  attention_.attend(table_, query, cache, layer, position, bit_cost(options_.score),
                    model_.layers[layer].slopes, options_.tie, out);
}

void BinaryTransformer::run_layer(std::size_t layer, std::size_t tokens, BinaryCache& cache) {
  const PackedLayer& weights = layers_[layer];
  BinaryActivations& bits = activations_;
  const std::size_t words = state_words();
  const std::size_t past = cache.positions() - tokens;
  {
    const StageClock clock(times_, Stage::kProject);
    const Product products[] = {{&weights.q, bits.state.data(), bits.q.data()},
                                {&weights.k, bits.state.data(), bits.k.data()},
                                {&weights.v, bits.state.data(), bits.v.data()}};
    multiply(products, tokens);
  }
  {
    const StageClock clock(times_, Stage::kAttend);
    for (std::size_t token = 0; token < tokens; ++token)
      cache.store(layer, past + token, bits.k.data() + token * words,
                  bits.v.data() + token * words);
    for_each_token(tokens, [&](std::size_t token) {
      attend(layer, past + token, bits.q.data() + token * words, cache,
             bits.attended.data() + token * words);
    });
  }
  {
    const StageClock clock(times_, Stage::kOutput);
    const Product product{&weights.o, bits.attended.data(), bits.o.data()};
    multiply({&product, 1}, tokens);
  }
  {
    const StageClock clock(times_, Stage::kGateUp);
    const Product products[] = {{&weights.gate, bits.state.data(), bits.gate.data()},
                                {&weights.up, bits.state.data(), bits.up.data()}};
    multiply(products, tokens);
  }
  {
    const StageClock clock(times_, Stage::kActivate);
    const std::size_t hidden_words = weights.gate.out_words();
    for (std::size_t i = 0; i < bits.hidden.size(); i += hidden_words)
      multiply_signs(bits.gate.data() + i, bits.up.data() + i, model_.shape.feed_forward,
                     bits.hidden.data() + i);
  }
  {
    const StageClock clock(times_, Stage::kDown);
    const Product product{&weights.down, bits.hidden.data(), bits.down.data()};
    multiply({&product, 1}, tokens);
  }
}

std::span<const std::uint64_t> BinaryTransformer::run(std::span<const TokenId> tokens,
                                                      BinaryCache& cache,
                                                      const LayerVisitor& visit) {
  const std::size_t words = state_words();
  BinaryActivations& bits = activations_;
  bits.resize(model_.shape, tokens.size());
  {
    const StageClock clock(times_, Stage::kEmbed);
    cache.set_positions(cache.positions() + tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto token = static_cast<std::size_t>(tokens[i]);
      BANKAI_CHECK(tokens[i] >= 0 && token < model_.shape.vocabulary, "no such token");
      std::copy_n(model_.embedding.row(token), words, bits.state.data() + i * words);
    }
  }
  for (std::size_t layer = 0; layer < model_.layers.size(); ++layer) {
    run_layer(layer, tokens.size(), cache);
    if (visit) visit(layer, bits);
    for (std::size_t i = 0; i < bits.state.size(); ++i)
      bits.state[i] = majority(bits.state[i], bits.o[i], bits.down[i]);
  }
  return bits.state;
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
