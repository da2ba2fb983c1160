// Sliding-window bits per byte as the parameter-golf field takes them, and its token files.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/golf_transformer.h"
#include "model/perplexity.h"
#include "model/sentence_pieces.h"

namespace bankai::model {

// The first window scores all its targets, later ones the last `stride`.
struct GolfWindows {
  std::size_t context = 0;
  std::size_t stride = 0;
  std::size_t limit = 0;  // most windows; 0: all
};

// Starts 0, stride, 2 · stride, … while a window of context + 1 tokens fits: what is left at the
// end is not scored. One window of all tokens if they are fewer. REQUIRES: two tokens; 1 <= stride
// <= context.
std::vector<std::size_t> golf_window_starts(std::size_t num_tokens, const GolfWindows& windows);

// kBadInput if a token is outside the vocabulary.
Status check_golf_tokens(std::span<const TokenId> tokens, std::size_t vocabulary);

// The mean over scored tokens, and bits over the bytes that the field counts for them; without
// `pieces` no bytes are counted and bits_per_byte is NaN. Errors: kBadInput for fewer than two
// tokens or an id outside the model's vocabulary.
Result<PerplexityResult> measure_golf_score(
    const GolfTransformer& transformer, std::span<const TokenId> tokens,
    const SentencePieces* pieces, const GolfWindows& windows,
    const std::function<void(std::size_t, std::size_t)>& progress);

// Is it one of the field's token files (magic 20240520)?
bool is_token_shard(std::string_view bytes);
// Its tokens: 256 little-endian 32-bit words of header (magic, version 1, number of tokens, zeros
// or anything), then the tokens in 16 bits each. Errors: kBadInput for another version or size.
Result<std::vector<TokenId>> read_token_shard(std::string_view bytes);

}  // namespace bankai::model
