#include "model/tensor_names.h"

#include <array>
#include <charconv>

namespace bankai::model {
namespace {

// In the order of Projection. The last two are not part of a layer.
constexpr std::array<std::string_view, 9> kStems = {"ffn_gate",    "ffn_up",     "ffn_down",
                                                    "attn_q",      "attn_k",     "attn_v",
                                                    "attn_output", "token_embd", "output"};
constexpr std::string_view kLayerPrefix = "blk.";
constexpr std::string_view kSuffix = ".weight";

bool in_layer(Projection projection) { return projection < Projection::kEmbedding; }

}  // namespace

std::string gguf_tensor_name(TensorAddress address) {
  std::string name;
  if (in_layer(address.projection))
    name.append(kLayerPrefix).append(std::to_string(address.layer)).append(".");
  return name.append(kStems[static_cast<std::size_t>(address.projection)]).append(kSuffix);
}

std::optional<TensorAddress> parse_gguf_tensor_name(std::string_view name) {
  TensorAddress address;
  std::string_view stem = name;
  if (stem.starts_with(kLayerPrefix)) {
    const char* begin = stem.data() + kLayerPrefix.size();
    const auto [end, error] = std::from_chars(begin, stem.data() + stem.size(), address.layer);
    if (error != std::errc()) return std::nullopt;
    stem.remove_prefix(static_cast<std::size_t>(end - stem.data()));
    if (!stem.starts_with(".")) return std::nullopt;
    stem.remove_prefix(1);
  }
  for (std::size_t i = 0; i < kStems.size(); ++i) {
    address.projection = static_cast<Projection>(i);
    // Rebuilding the name also refuses forms such as "blk.03." and a layer prefix where none
    // belongs.
    if (stem.starts_with(kStems[i]) && gguf_tensor_name(address) == name) return address;
  }
  return std::nullopt;
}

}  // namespace bankai::model
