#include "model/generation.h"

#include <algorithm>
#include <memory>

#include "core/partition.h"
#include "model/transformer_blocks.h"

namespace bankai::model {
namespace {

constexpr std::size_t kPromptTokens = 512;     // of a long prompt per block: bounds the activations
constexpr std::size_t kTogether = 64;          // sequences advanced together: bounds their caches,
constexpr std::size_t kLeastTogether = 16;     // but fewer would read weights too often
constexpr std::size_t kLogitFloats = 1 << 23;  // logits held at a time (32 MiB)

// One block through all layers: new tokens of several sequences, behind what their caches hold.
// Returns the residual rows (tokens, embedding).
std::vector<float> advance(Transformer& transformer, const Replacements& replacements,
                           std::span<const TokenId> inputs, std::span<const Segment> segments) {
  const Hyperparameters& h = transformer.model().parameters();
  std::vector<float> x(inputs.size() * h.embedding);
  transformer.embed(inputs, replacements, x.data());
  transformer.run_layers(0, h.num_layers, segments, replacements, x.data());
  return x;
}

// Feeds tokens to a sequence's cache; leaves the residual row of the last one in `last_row`.
void feed(Transformer& transformer, const Replacements& replacements,
          std::span<const TokenId> tokens, KvCache& cache, std::vector<float>& last_row) {
  while (!tokens.empty()) {
    const std::size_t count = std::min(tokens.size(), kPromptTokens);
    const Segment segment{0, count, &cache, cache.positions()};
    cache.set_positions(segment.past + count);
    const std::vector<float> x =
        advance(transformer, replacements, tokens.first(count), {&segment, 1});
    last_row.assign(
        x.end() - static_cast<std::ptrdiff_t>(transformer.model().parameters().embedding), x.end());
    tokens = tokens.subspan(count);
  }
}

// The logits of one row that stand for tokens: an embedding padded to a round size has more rows
// than the tokenizer has tokens.
std::span<const float> token_logits(const Model& model, const float* logits) {
  return {logits, model.tokenizer().vocabulary_size()};
}

// The greedy next token of each residual row (rows, embedding).
std::vector<TokenId> greedy_tokens(Transformer& transformer, const Replacements& replacements,
                                   std::size_t rows, const float* x) {
  const Hyperparameters& h = transformer.model().parameters();
  const std::size_t chunk = std::max<std::size_t>(1, kLogitFloats / h.vocabulary);
  std::vector<float> logits(std::min(rows, chunk) * h.vocabulary);
  std::vector<TokenId> tokens;
  for (std::size_t first = 0; first < rows; first += chunk) {
    const std::size_t count = std::min(chunk, rows - first);
    transformer.logits(count, x + first * h.embedding, replacements, logits.data());
    for (std::size_t i = 0; i < count; ++i)
      tokens.push_back(
          greedy_token(token_logits(transformer.model(), logits.data() + i * h.vocabulary)));
  }
  return tokens;
}

// Sequences that are advanced together, and the last residual row of each that is still going on.
struct Group {
  std::vector<std::unique_ptr<KvCache>> caches;
  std::vector<std::size_t> active;
  std::vector<float> rows;  // (active, embedding)
};

Group start_group(Transformer& transformer, const Replacements& replacements,
                  std::span<const std::vector<TokenId>> prompts) {
  const Hyperparameters& h = transformer.model().parameters();
  Group group;
  for (std::size_t first = 0; first < prompts.size();) {
    std::vector<TokenId> inputs;
    std::vector<Segment> segments;
    for (; first < prompts.size() &&
           (segments.empty() || inputs.size() + prompts[first].size() <= kPromptTokens);
         ++first) {
      group.active.push_back(first);
      group.caches.push_back(std::make_unique<KvCache>(h, transformer.options().kv));
      group.caches.back()->set_positions(prompts[first].size());
      segments.push_back({inputs.size(), prompts[first].size(), group.caches.back().get(), 0});
      inputs.insert(inputs.end(), prompts[first].begin(), prompts[first].end());
    }
    const std::vector<float> x = advance(transformer, replacements, inputs, segments);
    for (const Segment& segment : segments) {
      const float* last = x.data() + (segment.first_token + segment.num_tokens - 1) * h.embedding;
      group.rows.insert(group.rows.end(), last, last + h.embedding);
    }
  }
  return group;
}

// Advances the prompts until each is done; `generated` (prompts) are theirs.
void run_group(Transformer& transformer, const Replacements& replacements,
               std::span<const std::vector<TokenId>> prompts,
               std::span<std::vector<TokenId>> generated,
               const std::function<bool(std::size_t)>& is_done) {
  Group group = start_group(transformer, replacements, prompts);
  while (!group.active.empty()) {
    const std::vector<TokenId> next =
        greedy_tokens(transformer, replacements, group.active.size(), group.rows.data());
    std::vector<std::size_t> still_active;
    std::vector<TokenId> inputs;
    std::vector<Segment> segments;
    for (std::size_t k = 0; k < next.size(); ++k) {
      const std::size_t i = group.active[k];
      if (transformer.model().tokenizer().is_end_of_generation(next[k])) continue;
      generated[i].push_back(next[k]);
      if (is_done(i)) continue;
      KvCache& cache = *group.caches[i];
      segments.push_back({inputs.size(), 1, &cache, cache.positions()});
      cache.set_positions(cache.positions() + 1);
      inputs.push_back(next[k]);
      still_active.push_back(i);
    }
    group.active = std::move(still_active);
    group.rows = advance(transformer, replacements, inputs, segments);
  }
}

}  // namespace

std::vector<TokenId> generate(Transformer& transformer, const Replacements& replacements,
                              std::span<const TokenId> prompt, std::size_t max_tokens,
                              const SamplingOptions& sampling,
                              const std::function<bool(TokenId)>& on_token) {
  const Model& model = transformer.model();
  KvCache cache(model.parameters(), transformer.options().kv);
  Sampler sampler(transformer.table(), sampling);
  std::vector<float> row;
  std::vector<float> logits(model.parameters().vocabulary);
  std::vector<TokenId> generated;
  feed(transformer, replacements, prompt, cache, row);
  while (generated.size() < max_tokens) {
    transformer.logits(1, row.data(), replacements, logits.data());
    TokenId token = 0;
    {
      const StageClock clock(transformer.stage_times(), Stage::kSample);
      token = sampler.sample(token_logits(model, logits.data()), generated.size());
    }
    if (model.tokenizer().is_end_of_generation(token)) break;
    generated.push_back(token);
    if (!on_token(token) || generated.size() == max_tokens) break;
    feed(transformer, replacements, {&token, 1}, cache, row);
  }
  return generated;
}

std::vector<std::vector<TokenId>> generate_greedy(
    Transformer& transformer, const Replacements& replacements,
    std::span<const std::vector<TokenId>> prompts,
    const std::function<bool(std::size_t, const std::vector<TokenId>&)>& is_done) {
  std::vector<std::vector<TokenId>> generated(prompts.size());
  const auto threads = static_cast<std::size_t>(transformer.options().threads);
  const std::size_t most = std::max(kLeastTogether, kTogether / threads);
  // As many groups for each thread, of about the same size.
  const std::size_t turns = (prompts.size() + most * threads - 1) / (most * threads);
  const std::size_t groups =
      std::min(turns * threads, (prompts.size() + kLeastTogether - 1) / kLeastTogether);
  for_each_block(transformer, groups, [&](std::size_t group, Transformer& runner) {
    const IndexRange some = part_of(prompts.size(), groups, group);
    run_group(runner, replacements, prompts.subspan(some.begin, some.size()),
              std::span(generated).subspan(some.begin, some.size()),
              [&](std::size_t i) { return is_done(some.begin + i, generated[some.begin + i]); });
  });
  return generated;
}

}  // namespace bankai::model
