// Predicted changes by flips of a strictly binary model's two tables: the embedding, whose bits are
// the state below the first layer, and the output's codebook, whose flips are exact.
#pragma once

#include <cstddef>
#include <span>

#include "bfs/flip_effects.h"
#include "bfs/flip_predictions.h"

namespace bankai::bfs {

// Tensor `tensor` of the space is the embedding. tokens: of the item, (tokens). state: the effects
// of bits that the first layer reads.
void predict_embedding(const model::BinaryShape& shape, std::span<const model::TokenId> tokens,
                       const BitEffects& state, const CandidateSpace& space, std::size_t tensor,
                       const ItemChanges& changes);

// Tensor `tensor` of the space is the codebook.
void predict_codebook(const model::BinaryTransformer& transformer, const BinaryTrace& trace,
                      std::span<const TokenView> views, double logit_scale,
                      const CandidateSpace& space, std::size_t tensor, const ItemChanges& changes);

}  // namespace bankai::bfs
