// Generating tokens: one sequence with sampling, or many at once, greedily.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "model/sampler.h"
#include "model/transformer.h"

namespace bankai::model {

// Feeds the prompt and then up to `max_tokens` sampled tokens; `on_token` sees each new token and
// returns false to stop after it. Stops at end-of-generation tokens, which are not part of the
// result. REQUIRES: a prompt of at least one token.
std::vector<TokenId> generate(Transformer& transformer, const Replacements& replacements,
                              std::span<const TokenId> prompt, std::size_t max_tokens,
                              const SamplingOptions& sampling,
                              const std::function<bool(TokenId)>& on_token);

// Greedy continuations of many prompts, advanced together: the same tokens as one by one.
// `is_done(index, tokens)` is asked after each token, by several threads at the same time for
// different sequences; an end-of-generation token ends a sequence and is not part of its result.
// REQUIRES: prompts of at least one token.
std::vector<std::vector<TokenId>> generate_greedy(
    Transformer& transformer, const Replacements& replacements,
    std::span<const std::vector<TokenId>> prompts,
    const std::function<bool(std::size_t, const std::vector<TokenId>&)>& is_done);

}  // namespace bankai::model
