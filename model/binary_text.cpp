#include "model/binary_text.h"

#include <algorithm>

#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"
#include "model/scoring.h"

namespace bankai::model {
namespace {

constexpr double kLn2 = 0.693147180559945309417;

// Sum of ln P over the window's targets.
double score_window(CharacterModel& model, const ScoredSequence& window) {
  const std::size_t vocabulary = model.shape().vocabulary;
  std::vector<float> logits;
  double sum = 0.0;
  model.clear();
  for (std::size_t first = 0; first < window.num_inputs(); first += kCharacterBlock) {
    const std::size_t count = std::min(kCharacterBlock, window.num_inputs() - first);
    model.feed(std::span(window.tokens).subspan(first, count), false, logits);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t target = first + i + 1;
      if (target < window.first_target) continue;
      const auto row = std::span<const float>(logits).subspan(i * vocabulary, vocabulary);
      sum += static_cast<double>(row[static_cast<std::size_t>(window.tokens[target])]) -
             log_sum_exp(model.table(), row);
    }
  }
  return sum;
}

}  // namespace

Result<std::vector<TokenId>> encode_characters(std::string_view text, std::size_t vocabulary) {
  if (vocabulary > kMaxCharacters)
    return make_error(ErrorCode::kUnsupported,
                      "a vocabulary of %zu tokens, expected at most %zu: which text they stand for "
                      "is not in the file",
                      vocabulary, kMaxCharacters);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= vocabulary)
      return make_error(ErrorCode::kBadInput,
                        "byte 0x%02x at offset %zu is not one of the model's %zu characters",
                        static_cast<unsigned int>(byte), i, vocabulary);
    tokens.push_back(byte);
  }
  return tokens;
}

std::vector<TokenId> generate_characters(CharacterModel& model, std::span<const TokenId> prompt,
                                         std::size_t max_tokens, const SamplingOptions& sampling,
                                         const std::function<bool(TokenId)>& on_token) {
  Sampler sampler(model.table(), sampling);
  std::vector<float> logits;
  std::vector<TokenId> tokens;
  const auto add_tokens = [&] {
    std::span<const TokenId> next = prompt;
    while (tokens.size() < max_tokens) {
      for (; next.size() > kCharacterBlock; next = next.subspan(kCharacterBlock))
        model.feed(next.first(kCharacterBlock), true, logits);
      model.feed(next, true, logits);
      tokens.push_back(sampler.sample(logits, tokens.size()));
      next = std::span(tokens).last(1);
      if (!on_token(tokens.back())) return;
    }
  };
  model.clear();
  with_threads_at_hand(model.threads(), add_tokens);
  return tokens;
}

Result<PerplexityResult> measure_character_perplexity(
    CharacterModel& model, std::span<const TokenId> tokens, std::size_t context, std::size_t stride,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "the text has fewer than two characters");
  const std::vector<ScoredSequence> windows = perplexity_windows(tokens, context, stride);
  PerplexityResult result;
  double sum = 0.0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    sum -= score_window(model, windows[i]);
    result.tokens_scored += windows[i].num_targets();
    progress(i + 1, windows.size());
  }
  result.bytes_scored = result.tokens_scored;
  result.nll = sum / static_cast<double>(result.tokens_scored);
  result.perplexity = kernels::exp_f64(result.nll);
  result.bits_per_byte = result.nll / kLn2;
  return result;
}

}  // namespace bankai::model
