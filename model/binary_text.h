// Text for binary models: characters as tokens, generation and perplexity. A model of at most 256
// tokens speaks bytes: token t is the byte t (the known models have 128, the 7-bit characters).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/character_model.h"
#include "model/perplexity.h"
#include "model/sampler.h"

namespace bankai::model {

inline constexpr std::size_t kMaxCharacters = 256;
inline constexpr std::size_t kCharacterBlock = 256;  // tokens that go through the layers together

// The tokens of a text. Errors: kUnsupported for a vocabulary of more than 256 tokens; kBadInput
// with the offset of a byte that is not in the vocabulary.
Result<std::vector<TokenId>> encode_characters(std::string_view text, std::size_t vocabulary);

// Feeds the prompt to a model without positions, then up to `max_tokens` sampled tokens; `on_token`
// sees each and returns false to stop after it. REQUIRES: a prompt of at least one token.
std::vector<TokenId> generate_characters(CharacterModel& model, std::span<const TokenId> prompt,
                                         std::size_t max_tokens, const SamplingOptions& sampling,
                                         const std::function<bool(TokenId)>& on_token);

// Over the windows of perplexity.h; a token is a byte. Errors: kBadInput for fewer than two tokens.
Result<PerplexityResult> measure_character_perplexity(
    CharacterModel& model, std::span<const TokenId> tokens, std::size_t context, std::size_t stride,
    const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace bankai::model
