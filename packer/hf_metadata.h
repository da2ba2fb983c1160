// The hyper-parameters of a checkpoint as GGUF's keys.
#pragma once

#include <vector>

#include "model/gguf_writer.h"
#include "packer/hf_config.h"

namespace bankai::packer {

// general.* and the keys under the architecture's name.
void add_hyperparameters(model::GgufBuilder& builder, const HfConfig& config);

// What each pair's frequency is divided by (rope_freqs.weight), under Llama 3's scaling; else none.
std::vector<float> frequency_factors(const HfConfig& config);

}  // namespace bankai::packer
