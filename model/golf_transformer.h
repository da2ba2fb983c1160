// The forward pass of parameter-golf models (docs/formats/golf.md has the formulas).
//
// Products are float sums of 16 lanes (dot_f32 of the kernel table); everything else, attention
// included, is double precision in a fixed order. Trits times 8-bit activations are whole numbers
// below 2^24, so their products are exact; with the activations' scale taken in double precision a
// rounding step does not depend on noise. The same bytes for any number of threads and every table.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/golf_model.h"
#include "model/vocabulary.h"

namespace bankai::model {

class GolfTransformer {
 public:
  // `model` outlives the transformer.
  GolfTransformer(const GolfModel& model, const kernels::KernelTable& table, int threads);

  const GolfParameters& parameters() const { return model_.parameters; }

  // The logits after each token from `first` on, (tokens.size() − first, vocabulary), soft-cap
  // included. REQUIRES: tokens of the vocabulary; first < tokens.size().
  std::vector<float> logits(std::span<const TokenId> tokens, std::size_t first);
  // out[i] = log-probability in nats of targets[i] after token first + i; targets of the
  // vocabulary, one for each token from `first` on.
  void log_probabilities(std::span<const TokenId> tokens, std::size_t first,
                         std::span<const TokenId> targets, std::span<double> out);

 private:
  using Rows = std::vector<double>;  // (tokens, width)
  using RowVisitor = std::function<void(std::size_t row, std::span<const double> logits)>;

  void multiply(const GolfMatrix& matrix, const Rows& in, std::size_t rows, bool quantize,
                Rows& out) const;
  void rotate(Rows& heads, std::size_t rows, std::size_t num_heads,
              const std::vector<float>* gain) const;
  void attend(const Rows& query, const Rows& key, const Rows& value, std::size_t rows,
              Rows& out) const;
  void run_block(const GolfBlock& block, const Rows& start, std::size_t rows, Rows& x);
  void smear(const GolfBlock& block, std::size_t rows, Rows& x) const;
  Rows run_passes(std::span<const TokenId> tokens);
  void visit_logits(std::span<const TokenId> tokens, std::size_t first, const RowVisitor& visit);

  const GolfModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  std::vector<double> frequencies_;  // of RoPE, radians per position
};

}  // namespace bankai::model
