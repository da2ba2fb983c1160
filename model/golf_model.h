// The weights of a parameter-golf model, ready to run (golf_transformer.h). A plain value.
#pragma once

#include <cstddef>
#include <vector>

#include "model/golf_parameters.h"

namespace bankai::model {

struct GolfMatrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> weights;  // (rows, cols): trits, or values with their group scales
  double scale = 1.0;          // of the whole matrix
};

struct GolfBlock {
  GolfMatrix query;                    // (embedding, embedding)
  GolfMatrix key;                      // (kv_heads · head_dim, embedding)
  GolfMatrix value;                    // the same
  GolfMatrix projection;               // (embedding, embedding)
  GolfMatrix up;                       // (hidden, embedding)
  GolfMatrix down;                     // (embedding, hidden)
  std::vector<float> attention_scale;  // (embedding)
  std::vector<float> mlp_scale;        // (embedding)
  std::vector<float> residual_mix;     // (2, embedding): of the stream, of its start
  std::vector<float> query_gain;       // (heads)
  std::vector<float> smear_gate;       // (embedding), or empty
};

struct GolfModel {
  GolfParameters parameters;
  GolfMatrix tokens;  // (vocabulary, token_embedding)
  GolfMatrix expand;  // (embedding, token_embedding), or empty
  GolfMatrix shrink;  // (token_embedding, embedding), or empty
  std::vector<GolfBlock> blocks;
  std::vector<float> skip_weights;  // (skips, embedding)
  std::vector<float> output_bias;   // (vocabulary), or empty
};

}  // namespace bankai::model
