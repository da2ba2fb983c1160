// What replaced rows change in the activations of a binary model with a float residual, exactly and
// at the cost of what changes.
//
// A token whose residual row changes goes on changing, but its signs after a norm often do not:
// then its products stay, and all that is left to do are additions. The activations of all tokens
// are kept for the model in its state; candidates are runs over what differs from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bfs/change_evaluator.h"
#include "bfs/sign_changes.h"
#include "kernels/kernel_table.h"
#include "model/binary_cache.h"
#include "model/binary_residual_model.h"
#include "model/binary_residual_transformer.h"

namespace bankai::bfs {

class ResidualDelta final : public ChangeEngine {
 public:
  // The model and the table must outlive it.
  ResidualDelta(const model::BinaryResidualModel& model, const kernels::KernelTable& table,
                int threads, std::span<const std::vector<model::TokenId>> sequences);

  const model::BinaryMatrix& matrix(TensorAddress address) const override;
  void set_state(const BinaryRows& rows) override;
  Worker make_worker() const override { return caches_; }
  std::size_t num_tokens() const override { return tokens_.size(); }
  std::size_t first_token(std::size_t sequence) const override { return starts_[sequence]; }
  std::span<const std::uint64_t> top() const override { return top_; }
  ChangedTokens run(const BinaryRows& rows, Worker& worker) const override;
  void logits(const std::uint64_t* signs, const ReplacedBits* replaced,
              std::vector<float>& out) const override;

 private:
  using Words = std::vector<std::uint64_t>;
  using Floats = std::vector<float>;
  // Tokens whose residual rows differ from those of the state, ascending, and these rows.
  struct ChangedRows {
    std::vector<std::uint32_t> tokens;
    Floats values;  // (tokens, width)
  };
  // What is added to the residual: a product, its inputs and its outputs in the state.
  struct Addend {
    const model::AffineProduct& product;
    const Words& inputs;
    const Floats& outputs;
    const ChangedTokens& changed;  // inputs
    const ReplacedBits* replaced;
  };

  ChangedTokens changed_signs(const ChangedRows& x, const Floats& gamma, const Words& state) const;
  ChangedTokens changed_attention(std::uint32_t index, const ChangedTokens& in,
                                  const BinaryRows& rows, Worker& worker) const;
  ChangedTokens changed_hidden(std::uint32_t index, const ChangedTokens& in,
                               const BinaryRows& rows) const;
  ChangedRows changed_sum(const ChangedRows& x, const Floats& state_x, const Addend& addend,
                          const Floats& state_sum) const;

  const model::BinaryResidualModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  std::vector<model::TokenId> tokens_;
  SequenceStarts starts_;
  model::BinaryResidualModel state_model_;
  std::optional<model::BinaryResidualTransformer> state_;
  std::vector<model::ResidualLayerTrace> layers_;  // of all tokens; `next` is the next one's x
  Floats top_x_;
  Words top_;
  Worker caches_;
};

}  // namespace bankai::bfs
