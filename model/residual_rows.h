// The residual rows in front of every half-layer, from the top down: kept from the forward pass as
// far as memory goes, and computed again from the nearest ones below where they were not.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace bankai::model {

// Half-layers count as the forward pass runs them: 2 · layer for attention, 2 · layer + 1 for the
// feed-forward half. Memory is kept from block to block. The transformer must outlive this.
class ResidualRows {
 public:
  explicit ResidualRows(Transformer& transformer) : transformer_(transformer) {}

  // Starts a block whose rows (tokens, embedding) are asked for from half-layer `top` down to
  // `lowest`. memory: bytes for what is kept. The arguments must outlive the block.
  void begin(std::span<const TokenId> tokens, std::span<const Segment> segments,
             const Replacements& replacements, std::size_t lowest, std::size_t top,
             std::size_t memory);

  // x = the rows in front of a half-layer. REQUIRES: half-layers descend from call to call.
  void load(std::size_t half_layer, std::vector<float>& x);
  // What gate and up put out in a feed-forward half that was loaded; nullptr if it was not kept.
  const FfnProjections* ffn(std::size_t half_layer) const;

  // x (rows, embedding) += what a feed-forward half makes of its pre-activations.
  void finish_ffn(std::size_t layer, std::size_t rows, const FfnProjections& projections,
                  const Replacements& replacements, float* x);

 private:
  // Segments that go through a half-layer together, with first tokens counted from the first.
  struct Slice {
    std::size_t first_token = 0;
    std::size_t num_tokens = 0;
    std::vector<Segment> segments;
  };

  std::vector<std::size_t> choose(std::size_t above, std::size_t below, std::size_t count) const;
  void step(std::size_t half_layer, float* x);

  Transformer& transformer_;
  std::span<const TokenId> tokens_;
  const Replacements* replacements_ = nullptr;
  std::size_t lowest_ = 0;
  std::size_t most_rows_ = 0;  // that are kept
  std::vector<Slice> slices_;
  std::map<std::size_t, std::vector<float>> kept_;  // rows by half-layer
  std::vector<std::vector<float>> spare_;           // memory of rows that are no longer kept
  std::map<std::size_t, FfnProjections> kept_ffn_;  // by half-layer
  AttentionProjections attention_;
  FfnProjections ffn_;
  std::vector<float> hidden_;
};

}  // namespace bankai::model
