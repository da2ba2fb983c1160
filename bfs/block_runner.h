// A block of tokens on its way up through the model: copies of one chunk, each as another candidate
// would have it.
//
// Above the last attention tokens no longer see each other, so that only the tokens that terms look
// at go on; and the last attention is computed for those alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/chunk.h"
#include "bfs/half_layer.h"
#include "bfs/term_scorer.h"
#include "model/scoring.h"
#include "model/transformer.h"

namespace bankai::bfs {

// Owns scratch memory: one for each thread of control.
class BlockRunner {
 public:
  explicit BlockRunner(model::Transformer& transformer)
      : transformer_(transformer), scorer_(transformer) {}

  model::Transformer& transformer() { return transformer_; }

  // A new block of `copies` copies of the chunk under the state's rows; both stay referred to. Its
  // rows are all tokens, or the scored ones alone for a block that needs no others (below the top,
  // they are needed as keys and values).
  void begin(const Chunk& chunk, std::size_t copies, const model::RowOverlay& state,
             bool only_scored);
  const Chunk& chunk() const { return *chunk_; }
  std::size_t copies() const { return copies_; }
  // The nodes of one copy's rows.
  std::span<const std::uint32_t> nodes() const;

  // What a block enters with, for the caller to fill: residual rows (copies · nodes(), embedding),
  // and in the middle of a half-layer activation(gate) · up of these rows, or their queries with
  // the keys and values of all tokens of all copies.
  std::vector<float>& x() { return x_; }
  std::vector<float>& hidden() { return ffn_.gate; }
  model::AttentionProjections& attention() { return attention_; }

  // One half-layer from x to x; or its second part, from hidden() or attention().
  void run(HalfLayer place);
  void finish(HalfLayer place);
  // The middle of an attention half: what the rows read, (copies · nodes(), query_dim).
  const std::vector<float>& mix_values(std::uint32_t layer);

  // Term values of copy i to values[i] (objective terms); or the reference of divergences.
  // REQUIRES: the block is at the top.
  void score(const TermScorer& terms, std::span<double* const> values);
  void record_reference(TermScorer& terms);

 private:
  bool is_last(std::uint32_t layer) const;
  std::span<const std::size_t> query_tokens() const;
  void keep_scored();
  std::vector<ScoredRow> scored_rows(std::span<double* const> values) const;

  model::Transformer& transformer_;
  model::Scorer scorer_;
  const Chunk* chunk_ = nullptr;
  std::size_t copies_ = 0;
  model::Replacements replacements_;
  bool only_scored_ = false;
  std::vector<std::size_t> scored_;       // tokens of the block
  std::vector<model::Segment> segments_;  // of the block
  std::vector<float> x_;
  model::AttentionProjections attention_;
  model::FfnProjections ffn_;
};

}  // namespace bankai::bfs
