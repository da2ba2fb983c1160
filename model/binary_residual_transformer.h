// Runs binary models with a float residual (binary_residual_model.h):
//   x = embedding of the token                                          float, width
//   per layer:  b = sign(norm(x));  q, k, v = sign(affine(W b));  x += affine(O · pointed value)
//               b = sign(norm(x)) again, unless the block is parallel
//               x += affine(Down · (sign(affine(Gate b)) · sign(affine(Up b))))
//   logits = affine(Output · sign(norm(x)))
// Sums of signs are exact integers; what follows is float, element by element, so results are equal
// for all kernels, threads and divisions into calls. sign(0) is +1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/binary_cache.h"
#include "model/binary_residual_model.h"
#include "model/binary_residual_products.h"
#include "model/tokenizer.h"

namespace bankai::model {

// A layer's matrices, ready to be multiplied.
struct ResidualLayerProducts {
  SignProduct q, k, v;
  AffineProduct o;
  SignProduct gate, up;
  AffineProduct down;
};

// What a layer computes from some tokens: floats (tokens, width), signs (tokens, words).
struct ResidualLayerTrace {
  std::vector<float> x;     // in front of it
  BinaryActivations signs;  // `state` after the norm of attention; o and down are not signs
  std::vector<std::uint64_t> feed_forward_in;  // as `state` in a parallel block
  std::vector<float> attention;                // what is added to x
  std::vector<float> middle;                   // x behind that
  std::vector<float> feed_forward;             // what is added to middle
  std::vector<float> next;                     // x behind the layer
};

class BinaryResidualTransformer {
 public:
  // Keeps references: the model and the table outlive it.
  BinaryResidualTransformer(const BinaryResidualModel& model, const kernels::KernelTable& table,
                            int threads);

  // Feeds tokens behind the positions that the cache holds; the logits after each of them,
  // (tokens, vocabulary), or after the last one alone. REQUIRES: tokens of the vocabulary.
  std::vector<float> run(std::span<const TokenId> tokens, BinaryCache& cache,
                         bool only_last = false) const;

  // The same in parts. Residual rows of tokens, (tokens, width), through a layer (behind positions
  // that the cache has room for already), then through the head.
  std::vector<float> embed(std::span<const TokenId> tokens) const;
  ResidualLayerTrace run_layer(std::size_t layer, std::vector<float> x, BinaryCache& cache) const;
  std::vector<float> logits(std::span<const std::uint64_t> top) const;

  // (tokens, width) floats → their signs after a norm, as bits.
  std::vector<std::uint64_t> norm_signs(std::span<const float> x,
                                        const std::vector<float>& gamma) const;
  // Where the query of a position points to in each head: the values there.
  void attend(std::size_t layer, std::size_t position, const std::uint64_t* query,
              const BinaryCache& cache, std::uint64_t* out) const;

  const BinaryResidualModel& model() const { return model_; }
  const kernels::KernelTable& table() const { return table_; }
  int threads() const { return threads_; }
  const ResidualLayerProducts& layer(std::size_t index) const { return layers_[index]; }
  const AffineProduct& output() const { return output_; }

 private:
  using Bits = std::vector<std::uint64_t>;

  Bits multiply(const SignProduct& product, const Bits& in) const;
  std::vector<float> multiply(const AffineProduct& product,
                              std::span<const std::uint64_t> in) const;
  void run_attention(std::size_t layer, BinaryCache& cache, ResidualLayerTrace& trace) const;

  const BinaryResidualModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  PointerAttention attention_;
  std::vector<ResidualLayerProducts> layers_;
  AffineProduct output_;
};

}  // namespace bankai::model
