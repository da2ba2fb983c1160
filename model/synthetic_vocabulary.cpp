#include "model/synthetic_vocabulary.h"

#include <string_view>
#include <utility>

#include "core/check.h"
#include "model/byte_alphabet.h"
#include "model/vocabulary.h"

namespace bankai::model {
namespace {

constexpr std::size_t kNumBytes = 256;
constexpr std::size_t kNumPairs = kNumBytes * kNumBytes;

std::string spell(std::string_view bytes) {
  std::string text;
  append_alphabet_text(bytes, text);
  return text;
}

// The bytes of all tokens but the last of merge i, and that last one: pairs first, then every pair
// with each byte after it.
std::pair<std::string, std::string> merge_parts(std::size_t i) {
  const auto byte = [](std::size_t value) { return std::string(1, static_cast<char>(value)); };
  if (i < kNumPairs) return {byte(i / kNumBytes), byte(i % kNumBytes)};
  i -= kNumPairs;
  const std::size_t pair = i / kNumBytes;
  return {byte(pair / kNumBytes) + byte(pair % kNumBytes), byte(i % kNumBytes)};
}

}  // namespace

SyntheticVocabulary make_synthetic_vocabulary(std::size_t num_tokens) {
  BANKAI_CHECK(num_tokens >= kMinSyntheticTokens && num_tokens <= kMaxSyntheticTokens,
               "a vocabulary of this size cannot be made");
  SyntheticVocabulary vocabulary;
  for (std::size_t i = 0; i < kNumBytes; ++i)
    vocabulary.tokens.push_back(spell(std::string(1, static_cast<char>(i))));
  for (std::size_t i = 0; i < num_tokens - kMinSyntheticTokens; ++i) {
    const auto [left, right] = merge_parts(i);
    vocabulary.tokens.push_back(spell(left + right));
    vocabulary.merges.push_back(spell(left) + " " + spell(right));
  }
  vocabulary.types.assign(vocabulary.tokens.size(), static_cast<std::int32_t>(TokenType::kNormal));
  for (const char* control : {"<|endoftext|>", "<|im_end|>"}) {
    vocabulary.tokens.emplace_back(control);
    vocabulary.types.push_back(static_cast<std::int32_t>(TokenType::kControl));
  }
  vocabulary.eos_id = static_cast<std::uint32_t>(num_tokens - 1);
  vocabulary.padding_id = static_cast<std::uint32_t>(num_tokens - 2);
  return vocabulary;
}

}  // namespace bankai::model
