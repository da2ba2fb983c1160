#include "bfs/likeliest_tokens.h"

#include <algorithm>

#include "core/partition.h"
#include "model/sampler.h"
#include "model/shared_tokens.h"
#include "model/transformer_blocks.h"

namespace bankai::bfs {
namespace {

using model::ScoredSequence;
using model::TokenId;

constexpr std::size_t kTokensTogether = 256;
constexpr std::size_t kLogitFloats = std::size_t{1} << 20U;  // logits held at a time (4 MiB)

struct Entry {
  const ScoredSequence* sequence = nullptr;
  std::vector<TokenId>* likeliest = nullptr;
};

struct Target {
  std::size_t row = 0;  // of the block, behind which the target stands
  std::vector<TokenId>* likeliest = nullptr;
};

// x: residual rows behind the last layer.
void add_likeliest(model::Transformer& transformer, std::span<const Target> targets,
                   const std::vector<float>& x) {
  const model::Hyperparameters& h = transformer.model().parameters();
  const std::size_t piece = std::max<std::size_t>(1, kLogitFloats / h.vocabulary);
  std::vector<float> rows, logits;
  for (; !targets.empty(); targets = targets.subspan(std::min(piece, targets.size()))) {
    const std::size_t count = std::min(piece, targets.size());
    rows.resize(count * h.embedding);
    logits.resize(count * h.vocabulary);
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(x.data() + targets[i].row * h.embedding, h.embedding,
                  rows.data() + i * h.embedding);
    transformer.logits(count, rows.data(), {}, logits.data());
    const std::size_t tokens = transformer.model().tokenizer().vocabulary_size();
    for (std::size_t i = 0; i < count; ++i)
      targets[i].likeliest->push_back(
          model::greedy_token(std::span(logits).subspan(i * h.vocabulary, tokens)));
  }
}

void run_block(model::Transformer& transformer, std::span<const Entry> block) {
  const model::Hyperparameters& h = transformer.model().parameters();
  std::vector<TokenId> inputs;
  std::vector<model::Segment> segments;
  std::vector<Target> targets;
  for (const auto& [sequence, likeliest] : block) {
    const std::size_t first = inputs.size();
    const auto end = sequence->tokens.begin() + static_cast<std::ptrdiff_t>(sequence->num_inputs());
    segments.push_back({first, sequence->num_inputs(), nullptr, 0});
    inputs.insert(inputs.end(), sequence->tokens.begin(), end);
    for (std::size_t i = 0; i < sequence->num_targets(); ++i)
      targets.push_back({first + sequence->first_target - 1 + i, likeliest});
  }
  const model::SharedTokens shared = model::share_beginnings(inputs, segments);
  std::vector<float> x(shared.tokens.size() * h.embedding);
  transformer.embed(shared.tokens, {}, x.data());
  transformer.run_layers(0, h.num_layers, shared.segments, {}, x.data());
  for (Target& target : targets) target.row = shared.place_of[target.row];
  add_likeliest(transformer, targets, x);
}

}  // namespace

std::vector<std::vector<TokenId>> likeliest_tokens(model::Transformer& transformer,
                                                   std::span<const ScoredSequence> sequences) {
  std::vector<std::vector<TokenId>> likeliest(sequences.size());
  std::vector<Entry> order;  // those that begin alike are neighbours
  for (std::size_t i = 0; i < sequences.size(); ++i)
    order.push_back({&sequences[i], &likeliest[i]});
  std::sort(order.begin(), order.end(),
            [](const Entry& a, const Entry& b) { return a.sequence->tokens < b.sequence->tokens; });
  std::vector<IndexRange> blocks;
  for (std::size_t first = 0; first < order.size(); first = blocks.back().end) {
    std::size_t tokens = 0, last = first;
    while (last < order.size() &&
           (last == first || tokens + order[last].sequence->num_inputs() <= kTokensTogether))
      tokens += order[last++].sequence->num_inputs();
    blocks.push_back({first, last});
  }
  model::for_each_block(transformer, blocks.size(), [&](std::size_t i, model::Transformer& runner) {
    run_block(runner, std::span<const Entry>(order).subspan(blocks[i].begin, blocks[i].size()));
  });
  return likeliest;
}

}  // namespace bankai::bfs
