// Which of GGUF's pre-tokenizers the steps in a tokenizer.json amount to.
#pragma once

#include <string>

#include "core/result.h"
#include "packer/json_tree.h"

namespace bankai::packer {

// `tokenizer`: the whole file. Errors, naming it: kUnsupported with the steps that were found if
// they are not those of a known pre-tokenizer, or no byte-level ones; kBadInput.
Result<std::string> find_pre_tokenizer(const JsonTree& tokenizer);

// The reverse: the JSON text of "pre_tokenizer" for a name; empty for an unknown one.
std::string pre_tokenizer_json(const std::string& pre);

}  // namespace bankai::packer
