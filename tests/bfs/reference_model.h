// Scores computed the plain way, and models whose bits are really flipped: what the shortcuts of
// this room are compared with.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "model/transformer.h"
#include "patch/flip.h"

namespace bankai::bfs {

// A copy of a model's file, in memory, with the bits of `flips` complemented.
class FlippedModel {
 public:
  FlippedModel(const model::Model& base, std::span<const patch::Flip> flips);
  const model::Model& model() const { return *model_; }

 private:
  std::vector<std::byte> bytes_;
  std::unique_ptr<model::Model> model_;
};

// Item scores from log-probabilities of model::score_sequences, one sequence for every term.
// REQUIRES: no divergences among the terms.
std::vector<double> plain_scores(model::Transformer& transformer, const Objective& objective);

// The natural logarithms of the next token's distribution (vocabulary), in double precision with
// the standard library's functions.
std::vector<double> reference_log_probabilities(model::Transformer& transformer,
                                                std::span<const model::TokenId> inputs);

// ln P(continuation | prompt) by the above.
double reference_log_probability(model::Transformer& transformer,
                                 std::span<const model::TokenId> prompt,
                                 std::span<const model::TokenId> continuation);

}  // namespace bankai::bfs
