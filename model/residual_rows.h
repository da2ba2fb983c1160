// The residual rows in front of every half-layer, from the top down: kept from the forward pass as
// far as memory goes, and computed again from the nearest ones below where they were not. Segments
// that begin like the one before share the rows of what they have in common.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "core/partition.h"
#include "model/attention_parts.h"
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
  // Sets `out` to what gate and up put out for some tokens in a feed-forward half that was loaded;
  // false if it was not kept.
  bool ffn(std::size_t half_layer, IndexRange tokens, FfnProjections& out) const;
  // The same of an attention half.
  bool attention(std::size_t half_layer, IndexRange tokens, AttentionParts& out) const;

  // x (rows, embedding) += what a feed-forward half makes of its pre-activations.
  void finish_ffn(std::size_t layer, std::size_t rows, const FfnProjections& projections,
                  const Replacements& replacements, float* x);

 private:
  // Segments that go through a half-layer together, with first rows counted from the first.
  struct Slice {
    std::size_t first_row = 0;
    std::size_t num_rows = 0;
    std::vector<Segment> segments;
  };

  void add_slice(std::span<const TokenId> tokens, std::span<const Segment> segments);

  std::vector<std::size_t> choose(std::size_t above, std::size_t below, std::size_t count) const;
  void step(std::size_t half_layer, float* x);
  void spread_some(const std::vector<float>& rows, std::size_t width, IndexRange tokens,
                   std::vector<float>& out) const;

  Transformer& transformer_;
  std::vector<TokenId> tokens_;      // of the rows
  std::vector<std::size_t> row_of_;  // by token of the block
  const Replacements* replacements_ = nullptr;
  std::size_t lowest_ = 0;
  std::size_t most_kept_ = 0;  // half-layers whose rows are kept
  std::vector<Slice> slices_;
  std::map<std::size_t, std::vector<float>> kept_;  // rows by half-layer
  std::vector<std::vector<float>> spare_;           // memory of rows that are no longer kept
  std::map<std::size_t, FfnProjections> kept_ffn_;  // by half-layer
  std::map<std::size_t, AttentionParts> kept_attention_;
  AttentionProjections attention_;
  FfnProjections ffn_;
  std::vector<float> x_;  // rows on their way up
  std::vector<float> hidden_;
};

}  // namespace bankai::model
