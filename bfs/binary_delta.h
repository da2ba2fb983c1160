// What replaced rows change in a strictly binary model's activations, exactly and at the cost of
// what changes.
//
// Everything is a bit, so a change that does not cross a threshold is no change at all: nothing
// above it is looked at again. The activations of all tokens are kept for the model in its state;
// candidates are runs over the few tokens that differ from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor_address.h"
#include "kernels/kernel_table.h"
#include "model/binary_cache.h"
#include "model/binary_model.h"
#include "model/binary_transformer.h"
#include "model/pointer_attention.h"

namespace bankai::bfs {

// Rows that a matrix has instead of its own, in words.
using BinaryRows = std::map<TensorAddress, std::map<std::uint32_t, std::vector<std::uint64_t>>>;

// Tokens whose values differ from those of the state, ascending, and their values.
struct ChangedTokens {
  std::vector<std::uint32_t> tokens;
  std::vector<std::uint64_t> values;  // (tokens, words)
};

class BinaryDelta {
 public:
  // The scratch memory of one thread: keys and values of every sequence as the state has them,
  // changed while a candidate runs and put back.
  class Worker {
    friend class BinaryDelta;
    std::vector<model::BinaryCache> caches_;
  };

  // Tokens are numbered through over all sequences. The table must outlive this.
  BinaryDelta(const kernels::KernelTable& table, const model::BinaryOptions& options,
              std::span<const std::vector<model::TokenId>> sequences);

  // Makes a model the state: runs it on all tokens. It must outlive this, unchanged, or until
  // another is set.
  void set_state(const model::BinaryModel& model);
  Worker make_worker() const { return worker_; }

  std::size_t num_tokens() const { return tokens_.size(); }
  std::size_t first_token(std::size_t sequence) const { return first_[sequence]; }
  // (tokens, words of the width): what the output reads.
  std::span<const std::uint64_t> top() const { return layers_.back().state; }

  // The tokens that are others at the top if the state had these rows instead of its own; rows of
  // the output's codebook act above that and are left out.
  ChangedTokens run(const BinaryRows& rows, Worker& worker) const;

 private:
  using Words = std::vector<std::uint64_t>;
  struct Linear {
    const model::BinaryLinear* linear = nullptr;
    Words panels;
    Words out;  // (tokens, words of its rows)
  };
  // The activations of one layer, (tokens, words) each; of the last, which is no layer, the state.
  struct Layer {
    Words state;
    Linear q, k, v, o, gate, up, down;
    Words attended, hidden;
  };

  void fill(Layer& layer, std::uint32_t index, Words& next);
  ChangedTokens changed_embeddings(const BinaryRows& rows) const;
  ChangedTokens multiply(const Linear& linear, const Words& inputs, const ChangedTokens& changed,
                         TensorAddress address, const BinaryRows& rows) const;
  void attend(std::uint32_t layer, std::size_t position, const std::uint64_t* query,
              const model::BinaryCache& cache, std::uint64_t* out) const;
  ChangedTokens changed_attention(std::uint32_t index, const ChangedTokens& q,
                                  const ChangedTokens& k, const ChangedTokens& v,
                                  Worker& worker) const;
  ChangedTokens changed_hidden(const Layer& layer, const ChangedTokens& gate,
                               const ChangedTokens& up) const;
  ChangedTokens changed_state(std::uint32_t index, const ChangedTokens& state,
                              const ChangedTokens& attention,
                              const ChangedTokens& feed_forward) const;
  std::size_t sequence_of(std::size_t token) const;

  const kernels::KernelTable& table_;
  model::BinaryOptions options_;
  const model::BinaryModel* model_ = nullptr;
  std::vector<model::TokenId> tokens_;
  std::vector<std::size_t> first_;  // token of each sequence, and the number of tokens
  std::size_t words_ = 0;           // of the width
  std::vector<Layer> layers_;       // and what comes out of the last
  std::optional<model::PointerAttention> attention_;  // of the state's shape
  Worker worker_;
};

}  // namespace bankai::bfs
