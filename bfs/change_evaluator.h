// Exact scores of flips as what they change, for models whose matrices are signs and whose logits
// are read from signs.
//
// A ChangeEngine keeps the activations of a model in its state and follows changes through it;
// flips are evaluated one on a thread at a time. A flip that changes no sign at the top ends where
// it began, with the scores of the state. Scores equal those of a full pass bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "bfs/flip_evaluator.h"
#include "bfs/objective.h"
#include "bfs/sign_changes.h"
#include "bfs/term_scorer.h"
#include "model/binary_cache.h"

namespace bankai::bfs {

class ChangeEngine {
 public:
  // The scratch memory of one thread: keys and values of every sequence as the state has them,
  // changed while a candidate runs and put back.
  using Worker = std::vector<model::BinaryCache>;

  virtual ~ChangeEngine() = default;
  ChangeEngine(const ChangeEngine&) = delete;
  ChangeEngine& operator=(const ChangeEngine&) = delete;

  // Of the unpatched model. REQUIRES: an address that the model has.
  virtual const model::BinaryMatrix& matrix(TensorAddress address) const = 0;

  // The unpatched model with these rows becomes the state.
  virtual void set_state(const BinaryRows& rows) = 0;
  virtual Worker make_worker() const = 0;

  // Tokens are numbered through over all sequences.
  virtual std::size_t num_tokens() const = 0;
  virtual std::size_t first_token(std::size_t sequence) const = 0;
  // (tokens, words of the width): the signs that the output reads, in the state.
  virtual std::span<const std::uint64_t> top() const = 0;
  // The tokens that have others there if the state had these rows instead of its own; rows of the
  // output act above that.
  virtual ChangedTokens run(const BinaryRows& rows, Worker& worker) const = 0;
  // The real logits (vocabulary) of a token with these signs; some rows of the output may be
  // replaced (null: none).
  virtual void logits(const std::uint64_t* signs, const ReplacedBits* replaced,
                      std::vector<float>& out) const = 0;

 protected:
  ChangeEngine() = default;
};

class ChangeEvaluator final : public FlipEvaluator {
 public:
  // References must outlive this.
  ChangeEvaluator(std::unique_ptr<ChangeEngine> engine, const kernels::KernelTable& table,
                  int threads, const Objective& objective);

  std::span<const double> base_scores() const override { return base_scores_; }
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_patch(std::span<const patch::Flip> flips, HalfLayer) override {
    return evaluate_patch(flips);
  }
  std::vector<double> enter_patch(std::span<const patch::Flip> flips) override;
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips) override;
  // All sequences are evaluated: what does not change costs little.
  std::vector<double> evaluate_flips(std::span<const patch::Flip> flips,
                                     std::span<const std::uint32_t>) override {
    return evaluate_flips(flips);
  }
  // Nothing is rejected.
  BoundedScores evaluate_flips(std::span<const patch::Flip> flips, const FitnessBound&) override;

 private:
  using Words = std::vector<std::uint64_t>;

  // Flips in rows that are not there yet begin with the model's, or with the state's.
  enum class From { kModel, kState };
  void add_flip(const patch::Flip& flip, From from, BinaryRows& rows) const;
  Words row_of_model(TensorAddress tensor, std::uint32_t row) const;
  // Calls visit(term, logits, ln Σ exp of them) for the terms that look at these tokens, ascending.
  void visit_logits(
      std::span<const std::uint32_t> tokens, std::span<const std::uint64_t> top,
      const ReplacedBits* replaced,
      const std::function<void(std::size_t, std::span<const float>, double)>& visit) const;
  std::vector<double> scores_with(const BinaryRows& rows, ChangeEngine::Worker& worker) const;

  std::unique_ptr<ChangeEngine> engine_;
  const kernels::KernelTable& table_;
  int threads_;
  const Objective& objective_;
  TermScorer term_scorer_;
  std::vector<std::uint32_t> tokens_;                         // all of them
  std::vector<std::pair<std::uint32_t, std::size_t>> terms_;  // (token, term), ascending
  BinaryRows state_rows_;             // where the state differs from the model
  std::vector<double> state_values_;  // of all terms
  std::vector<ChangeEngine::Worker> workers_;
  std::vector<double> base_scores_;
};

}  // namespace bankai::bfs
