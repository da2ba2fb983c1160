#include "bfs/binary_trace.h"

#include <algorithm>

namespace bankai::bfs {

BinaryTrace trace_binary(model::BinaryTransformer& transformer,
                         std::span<const std::vector<model::TokenId>> sequences) {
  const model::BinaryShape& shape = transformer.model().shape;
  BinaryTrace trace;
  trace.first.push_back(0);
  for (const auto& sequence : sequences)
    trace.first.push_back(trace.first.back() + sequence.size());
  trace.caches.assign(sequences.size(), model::BinaryCache(shape));
  trace.layers.assign(shape.num_layers, {});
  for (model::BinaryActivations& layer : trace.layers) layer.resize(shape, trace.num_tokens());
  trace.top.resize(trace.num_tokens() * transformer.state_words());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto place = [&](std::span<const std::uint64_t> from, std::vector<std::uint64_t>& to) {
      const std::size_t words = from.size() / sequences[i].size();
      std::copy(from.begin(), from.end(), to.data() + trace.first[i] * words);
    };
    const auto keep = [&](std::size_t layer, const model::BinaryActivations& from) {
      for (const auto part : model::kActivationParts) place(from.*part, trace.layers[layer].*part);
    };
    place(transformer.run(sequences[i], trace.caches[i], keep), trace.top);
  }
  return trace;
}

}  // namespace bankai::bfs
