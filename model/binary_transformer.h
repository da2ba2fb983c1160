// Runs a strictly binary model with integers alone (docs/binary_models.md):
//   x = embedding of the token                                                  ±1, width
//   per layer:  a = o(pointer attention of q(x), k(x), v(x))
//               f = down(gate(x) · up(x))
//               x = sign(x + a + f)                               three ±1 terms: never a tie
//   logit_v = multiplier · Σ codebook(v, c) · x_c + bias_v
// Every result is an exact function of model and tokens, whatever the kernels, the threads and the
// division into calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/binary_cache.h"
#include "model/binary_model.h"
#include "model/binary_parts.h"
#include "model/pointer_attention.h"
#include "model/stage_times.h"
#include "model/tokenizer.h"

namespace bankai::model {

struct BinaryOptions {
  TieRule tie = TieRule::kEarliest;
  PointerScore score = PointerScore::kDot;
  int threads = 1;
};

class BinaryTransformer {
 public:
  // Sees the activations of each layer, of the tokens that are run.
  using LayerVisitor = std::function<void(std::size_t layer, const BinaryActivations&)>;

  // Keeps a copy of the weights as the kernels read them, and references: model and table outlive
  // it.
  BinaryTransformer(const BinaryModel& model, const kernels::KernelTable& table,
                    const BinaryOptions& options);

  const BinaryModel& model() const { return model_; }
  const kernels::KernelTable& table() const { return table_; }
  const BinaryOptions& options() const { return options_; }
  std::size_t state_words() const { return BinaryMatrix::words_of(model_.shape.width); }
  const PackedLayer& layer(std::size_t index) const { return layers_[index]; }
  // The bits that the heads of a layer point to from a position, with keys and values of a cache;
  // query, out: (state_words()). May be called from several threads.
  void attend(std::size_t layer, std::size_t position, const std::uint64_t* query,
              const BinaryCache& cache, std::uint64_t* out) const;

  // Feeds tokens behind the positions that the cache holds. Returns their states after the last
  // layer, (tokens, state_words()), valid until the next call. REQUIRES: tokens of the vocabulary.
  std::span<const std::uint64_t> run(std::span<const TokenId> tokens, BinaryCache& cache,
                                     const LayerVisitor& visit = {});

  // states (rows, state_words()) → logits (rows, vocabulary).
  void logits(std::span<const std::uint64_t> states, std::span<std::int64_t> logits) const;

  // From now on adds seconds by stage to *times; nullptr ends that.
  void measure_stages(StageTimes* times) { times_ = times; }

 private:
  struct Product {
    const PackedLinear* linear;
    const std::uint64_t* in;
    std::uint64_t* out;
  };

  void run_layer(std::size_t layer, std::size_t tokens, BinaryCache& cache);
  void multiply(std::span<const Product> products, std::size_t tokens) const;
  void for_each_token(std::size_t tokens, const std::function<void(std::size_t)>& body) const;

  const BinaryModel& model_;
  const kernels::KernelTable& table_;
  BinaryOptions options_;
  std::vector<PackedLayer> layers_;
  std::vector<std::uint64_t> codebook_;  // panels
  PointerAttention attention_;
  StageTimes* times_ = nullptr;

  BinaryActivations activations_;  // of the layer that runs
};

}  // namespace bankai::model
