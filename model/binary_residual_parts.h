// The keys and tensors of a "bankai-binary" file, listed once for its reader and its writer.
#pragma once

#include <string>
#include <vector>

#include "core/format.h"
#include "model/binary_residual_model.h"

namespace bankai::model {

// Calls floats(name, values, rows, cols) and channels(name, channels, rows, cols) for every part of
// the model in file order; rows is 1 for a vector.
template <typename Model, typename Floats, typename Channels>
void for_each_part(Model& model, const Floats& floats, const Channels& channels) {
  const BinaryShape& shape = model.shape;
  floats("token_embd.weight", model.embedding, shape.vocabulary, shape.width);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    auto& layer = model.layers[i];
    const auto name = [&](const char* part) { return format("blk.%zu.%s", i, part); };
    floats(name("attn_norm.weight"), layer.attention_norm, 1, shape.width);
    channels(name("attn_q"), layer.q, shape.width, shape.width);
    channels(name("attn_k"), layer.k, shape.width, shape.width);
    channels(name("attn_v"), layer.v, shape.width, shape.width);
    channels(name("attn_output"), layer.o, shape.width, shape.width);
    if (!model.rules.parallel_block)
      floats(name("ffn_norm.weight"), layer.feed_forward_norm, 1, shape.width);
    channels(name("ffn_gate"), layer.gate, shape.feed_forward, shape.width);
    channels(name("ffn_up"), layer.up, shape.feed_forward, shape.width);
    channels(name("ffn_down"), layer.down, shape.width, shape.feed_forward);
  }
  floats("output_norm.weight", model.output_norm, 1, shape.width);
  channels("output", model.output, shape.vocabulary, shape.width);
}

}  // namespace bankai::model
