// The container-neutral address of a weight matrix: which projection of which layer.
// `model` maps it to tensor names of a file format; `patch` stores it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bankai {

// The order is the canonical order of patches and of candidates; the numbers are stored in files.
enum class Projection : std::uint8_t {
  kGate = 0,
  kUp = 1,
  kDown = 2,
  kQuery = 3,
  kKey = 4,
  kValue = 5,
  kOutput = 6,     // attention output
  kEmbedding = 7,  // token embedding; layer is 0
  kHead = 8,       // language-model head; layer is 0
};

struct ProjectionNames {
  Projection projection;
  std::string_view short_name;  // command line: "gate"
  std::string_view patch_name;  // patch JSON (upstream's names): "gate_proj"
};

// One list, walked by the parsers, the formats and the help texts.
inline constexpr std::array<ProjectionNames, 9> kProjections = {{
    {Projection::kGate, "gate", "gate_proj"},
    {Projection::kUp, "up", "up_proj"},
    {Projection::kDown, "down", "down_proj"},
    {Projection::kQuery, "q", "q_proj"},
    {Projection::kKey, "k", "k_proj"},
    {Projection::kValue, "v", "v_proj"},
    {Projection::kOutput, "o", "o_proj"},
    {Projection::kEmbedding, "embed", "embed_tokens"},
    {Projection::kHead, "head", "lm_head"},
}};

inline std::string_view short_name(Projection projection) {
  return kProjections[static_cast<std::size_t>(projection)].short_name;
}
inline std::string_view patch_name(Projection projection) {
  return kProjections[static_cast<std::size_t>(projection)].patch_name;
}

inline std::optional<Projection> projection_from_short_name(std::string_view name) {
  for (const ProjectionNames& entry : kProjections)
    if (entry.short_name == name) return entry.projection;
  return std::nullopt;
}
inline std::optional<Projection> projection_from_patch_name(std::string_view name) {
  for (const ProjectionNames& entry : kProjections)
    if (entry.patch_name == name) return entry.projection;
  return std::nullopt;
}

struct TensorAddress {
  std::uint32_t layer = 0;
  Projection projection = Projection::kGate;

  auto operator<=>(const TensorAddress&) const = default;  // layer first, then projection
};

// "layer 3 gate".
std::string to_string(TensorAddress address);

}  // namespace bankai
