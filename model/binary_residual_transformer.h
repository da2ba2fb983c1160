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
#include "model/tokenizer.h"

namespace bankai::model {

class BinaryResidualTransformer {
 public:
  // Keeps references: the model and the table outlive it.
  BinaryResidualTransformer(const BinaryResidualModel& model, const kernels::KernelTable& table,
                            int threads);

  // Feeds tokens behind the positions that the cache holds; the logits after each of them,
  // (tokens, vocabulary). REQUIRES: tokens of the vocabulary.
  std::vector<float> run(std::span<const TokenId> tokens, BinaryCache& cache) const;

  const BinaryResidualModel& model() const { return model_; }
  const kernels::KernelTable& table() const { return table_; }
  int threads() const { return threads_; }

 private:
  struct Channels {
    const BinaryChannels* source;
    std::vector<std::uint64_t> panels;
    float sum_scale;
  };
  struct Layer {
    Channels q, k, v, o, gate, up, down;
  };
  using Bits = std::vector<std::uint64_t>;

  Channels packed(const BinaryChannels& channels) const;
  // (tokens, width) floats → their signs after the norm, as bits.
  Bits norm_signs(const std::vector<float>& x, const std::vector<float>& gamma) const;
  std::vector<float> affine(const Channels& channels, const Bits& in, std::size_t tokens) const;
  Bits affine_signs(const Channels& channels, const Bits& in, std::size_t tokens) const;
  void add_attention(std::size_t layer, const Bits& in, BinaryCache& cache,
                     std::vector<float>& x) const;
  void add_feed_forward(std::size_t layer, const Bits& in, std::vector<float>& x) const;

  const BinaryResidualModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  PointerAttention attention_;
  std::vector<Layer> layers_;
  Channels output_;
};

}  // namespace bankai::model
