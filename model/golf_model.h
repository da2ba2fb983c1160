// The weights of a parameter-golf model, ready to run (golf_transformer.h). A plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/golf_matrix.h"
#include "model/golf_parameters.h"

namespace bankai::model {

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

// What a token costs: its multiply-adds in all passes, and in what makes logits of the last state;
// and the bytes of weights that it reads for both. Blocks that run several times count as often.
struct GolfWork {
  std::uint64_t weights = 0;  // of all matrices, each once
  std::uint64_t products_per_token = 0;
  std::uint64_t products_of_head = 0;
  std::uint64_t bytes_per_token = 0;
};
GolfWork golf_work(const GolfModel& model);

}  // namespace bankai::model
