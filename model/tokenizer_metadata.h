// What a GGUF file says about its tokenizer, as it says it: nothing here is checked against
// anything else yet.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf_file.h"

namespace bankai::model {

enum class TokenizerKind : std::uint8_t {
  kByteLevel,  // tokenizer.ggml.model = "gpt2"
  kPieces,     // tokenizer.ggml.model = "llama": SentencePiece
};

struct TokenizerMetadata {
  std::string source;  // the file, for messages
  TokenizerKind kind = TokenizerKind::kByteLevel;
  std::string pre;                       // of byte-level BPE
  std::vector<std::string_view> tokens;  // views into the file
  std::vector<std::int64_t> types;       // one per token, or none at all
  std::vector<std::string_view> merges;  // "left right"; views into the file; of byte-level BPE
  std::vector<double> scores;            // one per token; of pieces
  std::optional<bool> adds_space;        // of pieces: in front of a text
  std::optional<bool> adds_bos;
  std::optional<std::uint64_t> bos;
  std::optional<std::uint64_t> eos;
  std::optional<std::uint64_t> padding;
  std::optional<std::uint64_t> unknown;
  std::optional<std::uint64_t> end_of_turn;
  std::optional<std::uint64_t> end_of_message;
};

// The keys that name one token.
struct TokenIdKey {
  const char* key;
  std::optional<std::uint64_t> TokenizerMetadata::*member;
};
inline constexpr std::array<TokenIdKey, 6> kTokenIdKeys = {{
    {"tokenizer.ggml.bos_token_id", &TokenizerMetadata::bos},
    {"tokenizer.ggml.eos_token_id", &TokenizerMetadata::eos},
    {"tokenizer.ggml.padding_token_id", &TokenizerMetadata::padding},
    {"tokenizer.ggml.unknown_token_id", &TokenizerMetadata::unknown},
    {"tokenizer.ggml.eot_token_id", &TokenizerMetadata::end_of_turn},
    {"tokenizer.ggml.eom_token_id", &TokenizerMetadata::end_of_message},
}};

// The result must not outlive `file`. Errors, naming file and key: kBadInput (a key is missing or
// of the wrong type), kUnsupported (another model). Where a file of pieces names no BOS, EOS or
// unknown token, they are 1, 2 and 0, as its readers agree.
Result<TokenizerMetadata> read_tokenizer_metadata(const GgufFile& file);

}  // namespace bankai::model
