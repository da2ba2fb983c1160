// What an attention half computes between its residual rows, for a backward pass.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace bankai::model {

// By token: queries (query_dim), keys and values (kv_dim).
struct AttentionParts {
  std::vector<float> query, key;  // as projected
  AttentionProjections rotated;   // after norms and rotation, with the values
  std::vector<float> mixed;       // (query_dim): what the output projection reads, before its norm

  void clear();
  // Floats of a token.
  static std::size_t floats(const Hyperparameters& h) { return 3 * h.query_dim() + 3 * h.kv_dim(); }
};

// Appends the parts of some tokens with residual rows x (tokens, embedding). `scratch` is
// overwritten.
void append_attention(Transformer& transformer, std::size_t layer, std::size_t tokens,
                      const float* x, std::span<const Segment> segments,
                      const Replacements& replacements, AttentionProjections& scratch,
                      AttentionParts& parts);

}  // namespace bankai::model
