// The files beside the weights of a Hugging Face checkpoint, as JSON texts.
#pragma once

#include <string>

#include "core/result.h"
#include "model/hyperparameters.h"
#include "model/tokenizer_metadata.h"
#include "packer/hf_config.h"

namespace bankai::packer {

// config.json of a checkpoint with MLX's 1-bit words.
std::string config_json(const HfFamily& family, const model::Hyperparameters& parameters, bool tied,
                        const model::TokenizerMetadata& tokenizer);

// tokenizer.json. Errors, naming the source: kUnsupported for a pre-tokenizer that has no steps.
Result<std::string> tokenizer_json(const model::TokenizerMetadata& tokenizer);

// tokenizer_config.json: which tokens begin, end and pad.
std::string tokenizer_config_json(const model::TokenizerMetadata& tokenizer);

}  // namespace bankai::packer
