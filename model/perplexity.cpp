#include "model/perplexity.h"

#include <algorithm>

#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/scoring.h"

namespace bankai::model {
namespace {

constexpr double kLn2 = 0.693147180559945309417;
constexpr std::size_t kWindowsTogether = 8;

}  // namespace

std::vector<ScoredSequence> perplexity_windows(std::span<const TokenId> tokens, std::size_t context,
                                               std::size_t stride) {
  std::vector<ScoredSequence> windows;
  std::size_t next_target = 1;
  for (std::size_t start = 0; next_target < tokens.size(); start += stride) {
    const std::size_t end = std::min(tokens.size(), start + context + 1);
    windows.push_back({{tokens.begin() + static_cast<std::ptrdiff_t>(start),
                        tokens.begin() + static_cast<std::ptrdiff_t>(end)},
                       next_target - start});
    next_target = end;
  }
  return windows;
}

Result<PerplexityResult> measure_perplexity(
    Transformer& transformer, const Replacements& replacements, std::string_view text,
    std::size_t context, std::size_t stride,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  const Tokenizer& tokenizer = transformer.model().tokenizer();
  std::vector<TokenId> tokens;
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0) tokens.push_back(tokenizer.bos());
  for (const TokenId token : tokenizer.encode(text)) tokens.push_back(token);
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "the text has fewer than two tokens");
  const std::vector<ScoredSequence> windows = perplexity_windows(tokens, context, stride);
  PerplexityResult result;
  double sum = 0.0;
  for (std::size_t first = 0; first < windows.size(); first += kWindowsTogether) {
    const std::span<const ScoredSequence> some =
        std::span(windows).subspan(first, std::min(kWindowsTogether, windows.size() - first));
    for (const std::vector<double>& scores : score_sequences(transformer, replacements, some))
      for (const double score : scores) sum -= score;
    for (const ScoredSequence& window : some) {
      result.tokens_scored += window.num_targets();
      result.bytes_scored +=
          tokenizer.decode(std::span(window.tokens).subspan(window.first_target)).size();
    }
    progress(first + some.size(), windows.size());
  }
  result.nll = sum / static_cast<double>(result.tokens_scored);
  result.perplexity = kernels::exp_f64(result.nll);
  result.bits_per_byte = sum / kLn2 / static_cast<double>(result.bytes_scored);
  return result;
}

}  // namespace bankai::model
