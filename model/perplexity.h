// Perplexity and bits per byte of a text over sliding windows.
//
// Window k feeds tokens t[kS … kS+C-1] from an empty cache and predicts t[kS+1 … kS+C]; the first
// window scores all its targets, later ones the last S (fewer at the end of the text).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/scoring.h"

namespace bankai::model {

struct PerplexityResult {
  std::size_t tokens_scored = 0;
  std::size_t bytes_scored = 0;  // of the scored tokens' text
  double nll = 0.0;              // mean over scored tokens, nats
  double perplexity = 0.0;
  double bits_per_byte = 0.0;
};

// The windows of a token sequence. REQUIRES: context and stride at least 1, stride at most context.
std::vector<ScoredSequence> perplexity_windows(std::span<const TokenId> tokens, std::size_t context,
                                               std::size_t stride);

// `progress(done, all)` counts windows. Errors: kBadInput for a text of fewer than two tokens.
Result<PerplexityResult> measure_perplexity(
    Transformer& transformer, const Replacements& replacements, std::string_view text,
    std::size_t context, std::size_t stride,
    const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace bankai::model
