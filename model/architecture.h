// The architectures that this program runs, as one list: decoders with RMS norms, grouped attention
// with rotation, and a gated feed-forward half. They differ in what the list says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bankai::model {

// Of the gate, before it is multiplied by the up projection.
enum class Activation : std::uint8_t {
  kSilu,   // x / (1 + e^−x)
  kRelu2,  // max(x, 0)²
};

struct Architecture {
  std::string_view name;  // general.architecture, and the prefix of the file's keys
  Activation activation;
  bool has_qk_norm;         // an RMS norm of every head's query and key
  bool has_sub_norms;       // RMS norms in front of the output and the down projection
  bool rotates_neighbours;  // the pairs (2i, 2i + 1) of a head instead of NeoX's (i, i + half)
  bool has_biases;          // of queries, keys and values
};

inline constexpr std::array<Architecture, 5> kArchitectures = {{
    {"qwen3", Activation::kSilu, true, false, false, false},
    {"qwen2", Activation::kSilu, false, false, false, true},
    {"llama", Activation::kSilu, false, false, true, false},
    {"bitnet", Activation::kSilu, false, true, false, false},
    {"bitnet-b1.58", Activation::kRelu2, false, true, false, false},
}};

// nullptr for a name that is not in the list.
constexpr const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& architecture : kArchitectures)
    if (architecture.name == name) return &architecture;
  return nullptr;
}

// "qwen3, …": for messages.
inline std::string architecture_names() {
  std::string names;
  for (const Architecture& architecture : kArchitectures)
    names.append(names.empty() ? "" : ", ").append(architecture.name);
  return names;
}

}  // namespace bankai::model
