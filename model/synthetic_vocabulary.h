// A vocabulary of byte-level BPE of any size, made by rule: for models that exist to measure speed
// and memory, where the text does not matter but the tokenizer must work as usual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bankai::model {

struct SyntheticVocabulary {
  std::vector<std::string> tokens;  // spelled in the byte alphabet; all different
  std::vector<std::int32_t> types;  // GGUF's: 1 normal, 3 control
  std::vector<std::string> merges;  // "left right", best first; merge i gives token 256 + i
  std::uint32_t padding_id = 0;     // "<|endoftext|>"
  std::uint32_t eos_id = 0;         // "<|im_end|>", the last token
};

inline constexpr std::size_t kMinSyntheticTokens = 256 + 2;
inline constexpr std::size_t kMaxSyntheticTokens = std::size_t{1} << 24U;

// The 256 bytes, then pairs of bytes, then pairs with a third byte, then two control tokens.
// REQUIRES: kMinSyntheticTokens <= num_tokens <= kMaxSyntheticTokens.
SyntheticVocabulary make_synthetic_vocabulary(std::size_t num_tokens);

}  // namespace bankai::model
