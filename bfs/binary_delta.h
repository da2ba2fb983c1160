// What replaced rows change in a strictly binary model's activations, exactly and at the cost of
// what changes (docs/binary_models.md).
//
// Everything is a bit, so a change that does not cross a threshold is no change at all: nothing
// above it is looked at again. The activations of all tokens are kept for the model in its state;
// candidates are runs over the few tokens that differ from them. Real logits are those of its
// perplexity: the integer logit less the largest of its position, times scale / multiplier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bfs/binary_trace.h"
#include "bfs/change_evaluator.h"
#include "bfs/sign_changes.h"
#include "kernels/kernel_table.h"
#include "model/binary_model.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

class BinaryDelta final : public ChangeEngine {
 public:
  // References must outlive this.
  BinaryDelta(const model::BinaryModel& model, const kernels::KernelTable& table,
              const model::BinaryOptions& options, double logit_scale,
              std::span<const std::vector<model::TokenId>> sequences);

  const model::BinaryMatrix& matrix(TensorAddress address) const override;
  void set_state(const BinaryRows& rows) override;
  Worker make_worker() const override { return trace_.caches; }
  std::size_t num_tokens() const override { return tokens_.size(); }
  std::size_t first_token(std::size_t sequence) const override { return trace_.first[sequence]; }
  std::span<const std::uint64_t> top() const override { return trace_.top; }
  ChangedTokens run(const BinaryRows& rows, Worker& worker) const override;
  void logits(const std::uint64_t* signs, const ReplacedBits* replaced,
              std::vector<float>& out) const override;

 private:
  using Words = std::vector<std::uint64_t>;

  ChangedTokens changed_embeddings(const BinaryRows& rows) const;
  ChangedTokens changed_state(std::size_t index, const ChangedTokens& state,
                              const ChangedTokens& attention,
                              const ChangedTokens& feed_forward) const;

  const model::BinaryModel& model_;
  const kernels::KernelTable& table_;
  model::BinaryOptions options_;
  double unit_;  // real logit of one of an integer logit
  std::span<const std::vector<model::TokenId>> sequences_;
  std::vector<model::TokenId> tokens_;            // of all of them
  model::BinaryModel state_;                      // the model with the state's rows,
  std::optional<model::BinaryTransformer> runs_;  // what runs it,
  std::vector<std::uint64_t> codebook_;           // its output in panels,
  BinaryTrace trace_;                             // and its activations
};

}  // namespace bankai::bfs
