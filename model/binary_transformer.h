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
#include "model/pointer_attention.h"
#include "model/stage_times.h"
#include "model/tokenizer.h"

namespace bankai::model {

// What of a query and a key meets slope · distance: the sum of products of signs (from −bits to
// bits), or the number of equal bits. They differ by a factor of 2 against the slope.
enum class PointerScore : std::uint8_t { kDot, kPopcount };

struct BinaryOptions {
  TieRule tie = TieRule::kEarliest;
  PointerScore score = PointerScore::kDot;
  int threads = 1;
};

class BinaryTransformer {
 public:
  // Keeps a copy of the weights as the kernels read them, and references: model and table outlive
  // it.
  BinaryTransformer(const BinaryModel& model, const kernels::KernelTable& table,
                    const BinaryOptions& options);

  const BinaryModel& model() const { return model_; }
  const kernels::KernelTable& table() const { return table_; }
  const BinaryOptions& options() const { return options_; }
  std::size_t state_words() const { return BinaryMatrix::words_of(model_.shape.width); }

  // Feeds tokens behind the positions that the cache holds. Returns their states after the last
  // layer, (tokens, state_words()), valid until the next call. REQUIRES: tokens of the vocabulary.
  std::span<const std::uint64_t> run(std::span<const TokenId> tokens, BinaryCache& cache);

  // states (rows, state_words()) → logits (rows, vocabulary).
  void logits(std::span<const std::uint64_t> states, std::span<std::int64_t> logits) const;

  // From now on adds seconds by stage to *times; nullptr ends that.
  void measure_stages(StageTimes* times) { times_ = times; }

 private:
  // A BinaryLinear, its weights in panels (kernels/bit_panels.h).
  struct Linear {
    std::size_t rows;
    std::size_t cols;
    std::vector<std::uint64_t> panels;
    std::vector<std::int32_t> thresholds;  // (rows)
  };
  struct Layer {
    Linear q, k, v, o, gate, up, down;
  };
  struct Product {
    const Linear* linear;
    const std::uint64_t* in;
    std::uint64_t* out;
  };

  static Linear packed(const BinaryLinear& linear);
  void run_layer(std::size_t layer, std::size_t tokens, BinaryCache& cache);
  void multiply(std::span<const Product> products, std::size_t tokens) const;
  void for_each_token(std::size_t tokens, const std::function<void(std::size_t)>& body) const;

  const BinaryModel& model_;
  const kernels::KernelTable& table_;
  BinaryOptions options_;
  std::vector<Layer> layers_;
  std::vector<std::uint64_t> codebook_;  // panels
  PointerAttention attention_;
  StageTimes* times_ = nullptr;

  // (tokens, words) each.
  std::vector<std::uint64_t> states_, q_, k_, v_, attended_, gate_, up_, from_attention_,
      from_feed_forward_;
};

}  // namespace bankai::model
