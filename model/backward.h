// The backward pass: how an objective of logits depends on the output of every projection.
//
// Weights stay packed. Rounding of activations counts as the identity ("straight through"); all
// else is differentiated as it is (docs/method.md has the formulas). Like the forward pass it is
// canonical: a segment's gradients are the same bits in any block, on any number of threads, with
// any kernel table. Residual rows are kept between the two passes as far as memory goes, what lies
// between them is computed again.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/partition.h"
#include "kernels/matmul.h"
#include "model/transformer.h"

namespace bankai::model {

// The attention half or the feed-forward half of a layer; they order as the forward pass runs them.
struct HalfLayerPlace {
  std::size_t layer = 0;
  bool is_ffn = false;

  friend auto operator<=>(const HalfLayerPlace&, const HalfLayerPlace&) = default;
};

// What a projection took and put out, and how the objective depends on its output. The arrays are
// those of FfnGradients::tokens or AttentionGradients::tokens and live during the visit.
struct ProjectionGradient {
  const kernels::ActivationBlock* input = nullptr;  // (tokens, cols), as the product read it
  // (tokens, rows). Of the output and the down projection this is the difference of two residual
  // rows, which is the product but for the rounding of their sum.
  const float* output = nullptr;
  const float* gradient = nullptr;  // (tokens, rows): d objective / d output
};

struct FfnGradients {
  // The block rows that the arrays are of, ascending: in the last layer the scored ones alone.
  std::span<const std::size_t> tokens;
  ProjectionGradient gate, up, down;
  const float* hidden_gradient = nullptr;  // (tokens, feed_forward): of activation(gate) · up
};

struct AttentionGradients {
  std::span<const std::size_t> tokens;
  ProjectionGradient query, key, value, output;
  // Query and key after their norms and before the rotation, and the gradients there: negating a
  // row of the projection negates exactly that one component. Without QK norms these are the
  // projections' own output and gradient.
  const float* query_normed = nullptr;           // (tokens, query_dim)
  const float* query_normed_gradient = nullptr;  // (tokens, query_dim)
  const float* key_normed = nullptr;             // (tokens, kv_dim)
  const float* key_normed_gradient = nullptr;    // (tokens, kv_dim)
};

// Is told the gradients of one half-layer after the other, from the top down, and of a block that
// goes in slices those of one slice after the other.
class GradientVisitor {
 public:
  virtual ~GradientVisitor() = default;
  virtual void visit_ffn(std::size_t layer, const FfnGradients& gradients);
  virtual void visit_attention(std::size_t layer, const AttentionGradients& gradients);
  // All slices of the half-layer have been visited.
  virtual void finish(HalfLayerPlace place);
};

// Sets d objective / d logits (vocabulary) of the i-th scored row, from its logits. May be called
// from several threads for different i.
using LogitGradient =
    std::function<void(std::size_t i, std::span<const float> logits, std::span<float> gradient)>;

struct BackwardOptions {
  // 16-bit gradients in front of one-bit weights, or 8-bit ones; nullopt: like the activations.
  std::optional<bool> fine = std::nullopt;
};

class BackwardPass {
 public:
  // memory_limit: bytes for the arrays of a slice in a half-layer and the residual rows kept
  // between the passes, which get what the arrays leave. Not counted: logits (32 MiB or two rows)
  // and the transformer's own memory. The transformer must outlive this; its options hold here too.
  BackwardPass(Transformer& transformer, std::size_t memory_limit, BackwardOptions options = {});
  ~BackwardPass();

  // Forward over a block from the embedding, then backward; visits the half-layers from the top
  // down to `lowest`, on the calling thread. Nothing below is computed. scored_rows: the block
  // rows, ascending, that the objective looks at. REQUIRES: segments cover the tokens in order and
  // have no caches; no local replacements; ids inside the vocabulary.
  // slices: token ranges that cover the block in order, each of whole segments; only one of them at
  // a time has arrays. Empty: the block is one.
  void run(std::span<const TokenId> tokens, std::span<const Segment> segments,
           const Replacements& replacements, std::span<const std::size_t> scored_rows,
           const LogitGradient& logit_gradient, HalfLayerPlace lowest, GradientVisitor& visitor,
           std::span<const IndexRange> slices = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  int threads_;
};

}  // namespace bankai::model
