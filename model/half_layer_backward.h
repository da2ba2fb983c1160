// The backward pass of one half-layer: from the gradient of the residual rows behind it to those of
// its projections, and of the rows in front of it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/attention_gradients.h"
#include "model/attention_parts.h"
#include "model/backward.h"

namespace bankai::model {

// What the half-layers of a slice of a block share. References must outlive it.
struct BackwardBlock {
  std::span<const Segment> segments;  // of the slice, whose first token is token 0
  const Replacements& replacements;
  const RowOverlay& overlay;
  GradientVisitor& visitor;
};

// Residual rows (tokens, embedding) of a slice in front of a half-layer and behind it, and the
// gradient of the latter. After the half-layer `behind` is what it added to the rows, and
// `gradient` that of the rows in front, if the pass goes on below.
struct ResidualSlice {
  const float* front;
  float* behind;
  float* gradient;
};

class HalfLayerBackward {
 public:
  // fine: KernelTable::gemm_transposed. The transformer must outlive this.
  HalfLayerBackward(Transformer& transformer, bool fine);

  // Bytes of all arrays for each token of a slice, with its FfnProjections.
  std::size_t bytes_per_token() const;

  // Half-layers of the rows `tokens` of a block: all of the slice in attention. projections: what
  // gate and up put out. parts: what the attention half computed.
  void ffn(std::size_t layer, std::span<const std::size_t> tokens,
           const FfnProjections& projections, const BackwardBlock& block, bool goes_on,
           const ResidualSlice& residual);
  void attention(std::size_t layer, std::span<const std::size_t> tokens,
                 const AttentionParts& parts, const BackwardBlock& block, bool goes_on,
                 const ResidualSlice& residual);

  // out (tokens, cols) = the transposed matrix times gradient (tokens, rows).
  void multiply(const WeightMatrix& matrix, const RowOverlay& overlay, std::size_t tokens,
                const float* gradient, float* out) const;
  // gradient (rows, norm size), of the normed x, becomes that of x, in place; nothing without a
  // norm.
  void through_norm(std::size_t rows, const float* x, const std::vector<float>& norm,
                    float* gradient) const;

 private:
  struct Term {
    const WeightMatrix& matrix;
    const float* gradient;
  };

  // Queries or keys (tokens, num_heads, head_dim): as projected, normed, and the gradients of both.
  // Without QK norms these are the same arrays.
  struct Heads {
    std::size_t num_heads;
    const std::vector<float>& norm;
    const float* output;
    float *own_normed, *normed_gradient, *gradient;
    const float* normed() const { return own_normed != nullptr ? own_normed : output; }
  };

  std::size_t arena_floats() const;
  void begin(std::size_t tokens);
  float* take(std::size_t floats);
  void finish_rows(std::size_t tokens, const ResidualSlice& residual) const;
  void add_input_gradient(std::size_t tokens, std::span<const Term> terms,
                          const std::vector<float>& norm, const BackwardBlock& block,
                          const ResidualSlice& residual);
  Heads take_heads(std::size_t num_heads, const std::vector<float>& norm,
                   const std::vector<float>& output);
  void unrotate(std::span<const Segment> segments, std::size_t num_heads, float* gradient);
  void finish_heads(std::span<const Segment> segments, std::size_t tokens, const Heads& heads);

  Transformer& transformer_;
  const Hyperparameters& h_;
  const kernels::KernelTable& table_;
  int threads_;
  bool fine_;
  RopeTable rope_;
  kernels::ActivationBlock input_, inner_input_;
  std::vector<float> arena_;  // of all other arrays of a half-layer
  std::size_t taken_ = 0;
};

}  // namespace bankai::model
