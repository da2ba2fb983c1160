// How GGUF files name the weight matrices of a transformer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/tensor_address.h"

namespace bankai::model {

// "blk.3.ffn_gate.weight", "token_embd.weight", "output.weight".
std::string gguf_tensor_name(TensorAddress address);

// The reverse; nullopt for any other tensor.
std::optional<TensorAddress> parse_gguf_tensor_name(std::string_view name);

}  // namespace bankai::model
