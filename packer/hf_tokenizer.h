// The tokenizer of a Hugging Face checkpoint in the terms of GGUF: byte-level BPE, or pieces of
// SentencePiece.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/gguf_writer.h"
#include "packer/hf_config.h"
#include "packer/json_tree.h"

namespace bankai::packer {

struct HfTokenizer {
  std::string pre;                  // tokenizer.ggml.pre; of byte-level BPE
  std::vector<std::string> tokens;  // one per row of the embedding; gaps are named [PADn]
  std::vector<std::int32_t> types;  // model::TokenType
  std::vector<std::string> merges;  // "left right", best first; of byte-level BPE
  std::vector<float> scores;        // of pieces, one per token; none: byte-level BPE
  bool adds_space = true;           // of pieces: in front of a text
  std::optional<bool> adds_bos;
  std::optional<std::uint64_t> bos, eos, padding, unknown, end_of_turn;
  std::string chat_template;  // empty: none
};

// The content of a tokenizer.json alone: no special tokens but what its post-processor tells of
// `bos`. `vocabulary`: rows of the embedding. Errors as below.
Result<HfTokenizer> parse_hf_tokenizer(const JsonTree& tokenizer, std::uint64_t vocabulary,
                                       const std::string& pre, std::optional<std::uint64_t> bos);

// FOLDER/tokenizer.model if it is SentencePiece's, else FOLDER/tokenizer.json, with
// tokenizer_config.json, generation_config.json and chat_template.jinja where they exist. `pre`:
// the name of the pre-tokenizer, or empty to find it from the file. Errors name the file: kIo;
// kBadInput (missing or inconsistent content, more tokens than the embedding has rows);
// kUnsupported (another kind of tokenizer; a pre-tokenizer without a name).
Result<HfTokenizer> read_hf_tokenizer(const std::string& folder, const HfConfig& config,
                                      const std::string& pre);

// All tokenizer.* keys.
void add_tokenizer(model::GgufBuilder& builder, const HfTokenizer& tokenizer);

}  // namespace bankai::packer
