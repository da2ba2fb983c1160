// The SentencePiece vocabulary of a checkpoint (tokenizer.model) in the terms of GGUF.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "packer/hf_tokenizer.h"

namespace bankai::packer {

// The content of FOLDER/tokenizer.model, and the tokens that added_tokens.json and
// tokenizer_config.json add behind it. `vocabulary`: rows of the embedding. Errors name the file:
// kBadInput (damaged, more tokens than rows, two tokens for an id); kUnsupported (pieces that are
// not merged by score, rules for characters or spaces that GGUF's readers do not follow).
Result<HfTokenizer> read_hf_pieces(const std::string& folder, std::uint64_t vocabulary);

// Is there a tokenizer.model of SentencePiece?
bool has_hf_pieces(const std::string& folder);

}  // namespace bankai::packer
