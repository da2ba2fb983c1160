// Log-probabilities of known tokens: what perplexity, probes and every objective are made of.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace bankai::model {

// ln P(token | row) for pairs of a residual row index and a token.
struct TokenQuery {
  std::size_t row = 0;
  TokenId token = 0;
};

class Scorer {
 public:
  explicit Scorer(Transformer& transformer) : transformer_(transformer) {}

  // out[i] = log-probability in nats of queries[i].token after row queries[i].row of x (rows,
  // embedding). REQUIRES: queries ascend in row (equal rows are computed once).
  void log_probabilities(const float* x, std::span<const TokenQuery> queries,
                         const Replacements& replacements, std::span<double> out);

  // Calls visit(i, logits of row i) once for each row of x (rows, embedding), possibly from several
  // threads; the span (vocabulary) is valid during the call.
  void visit_logits(const float* x, std::size_t rows, const Replacements& replacements,
                    const std::function<void(std::size_t, std::span<const float>)>& visit);

 private:
  Transformer& transformer_;
  std::vector<float> logits_;
};

// ln of the sum of exp over logits, in double precision from single-precision exponentials.
double log_sum_exp(const kernels::KernelTable& table, std::span<const float> logits);

// Tokens whose continuation is scored: tokens[first_target ...], each predicted from those before
// it.
struct ScoredSequence {
  std::vector<TokenId> tokens;
  std::size_t first_target = 1;  // at least 1

  std::size_t num_inputs() const { return tokens.size() - 1; }
  std::size_t num_targets() const { return tokens.size() - first_target; }
};

// The log-probability of every target of every sequence, in order. Sequences share blocks.
std::vector<std::vector<double>> score_sequences(Transformer& transformer,
                                                 const Replacements& replacements,
                                                 std::span<const ScoredSequence> sequences);

}  // namespace bankai::model
