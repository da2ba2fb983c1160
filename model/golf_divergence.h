// The divergence of a parameter-golf model from another, or from itself with keys and values in
// another format: the figures of divergence.h.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/result.h"
#include "model/divergence.h"
#include "model/golf_transformer.h"

namespace bankai::model {

// As measure_chunks. Memory: the logits of a chunk of the reference, in single precision. Errors:
// also kBadInput for vocabularies of different sizes, and for a token outside of them.
Result<DivergenceResult> measure_golf_divergence(
    const GolfTransformer& reference, const GolfTransformer& other, std::span<const TokenId> tokens,
    std::size_t context, std::size_t max_chunks,
    const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace bankai::model
