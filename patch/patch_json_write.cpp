#include <nlohmann/json.hpp>

#include "core/format.h"
#include "patch/patch_binary.h"
#include "patch/patch_format.h"
#include "patch/patch_json.h"

namespace bankai::patch {
namespace {

using Json = nlohmann::ordered_json;

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string tensor_fields(TensorAddress tensor) {
  return format("\"layer\": %u, \"proj\": \"%s\"", tensor.layer,
                std::string(patch_name(tensor.projection)).c_str());
}

void append_flip(const Flip& flip, std::string& text) {
  text += "    {" + tensor_fields(flip.tensor) + ", \"row\": " + std::to_string(flip.row);
  if (flip.kind == FlipKind::kGroup) text += ", \"group\": " + std::to_string(flip.index);
  if (is_single(flip.kind)) text += ", \"col\": " + std::to_string(flip.index);
  if (is_step(flip.kind))
    text += flip.kind == FlipKind::kStepUp ? ", \"step\": 1" : ", \"step\": -1";
  text += "}";
}

void append_base(const Base& base, std::string& text) {
  text += "    \"bankai\": {";
  if (base.hash) text += "\n      \"base_hash\": \"" + to_hex(*base.hash) + "\"";
  if (base.hash && !base.shapes.empty()) text += ",";
  if (!base.shapes.empty()) text += "\n      \"tensors\": [";
  const char* separator = "\n";
  for (const auto& [tensor, shape] : base.shapes) {
    text += separator;
    text += format("        {%s, \"rows\": %u, \"cols\": %u", tensor_fields(tensor).c_str(),
                   shape.rows, shape.cols);
    const auto content = base.contents.find(tensor);
    if (content != base.contents.end()) text += ", \"sha256\": \"" + to_hex(content->second) + "\"";
    text += "}";
    separator = ",\n";
  }
  if (!base.shapes.empty()) text += "\n      ]";
  text += "\n    }";
}

void append_metadata(const Patch& patch, std::string& text) {
  const char* separator = "\n";
  if (!patch.metadata.empty()) {
    const Json metadata = Json::parse(patch.metadata, nullptr, false);
    BANKAI_CHECK(metadata.is_object(), "the metadata of a patch is not a JSON object");
    for (const auto& item : metadata.items()) {
      text += separator + ("    " + json_string(item.key())) + ": " +
              item.value().dump(-1, ' ', false, Json::error_handler_t::replace);
      separator = ",\n";
    }
  }
  if (patch.base.hash || !patch.base.shapes.empty()) {
    text += separator;
    append_base(patch.base, text);
  }
}

const char* format_of(const FlipSet& flips) {
  if (flips.has_steps()) return kStepFormat;
  return flips.count(FlipKind::kBit) > 0 ? kBitFormat : kRowFormat;
}

}  // namespace

std::string format_json(const Patch& patch) {
  std::string text = "{\n  \"version\": 1,\n";
  text += format("  \"format\": \"%s\",\n", format_of(patch.flips));
  text += "  \"name\": " + json_string(patch.name) + ",\n";
  text += "  \"description\": " + json_string(patch.description) + ",\n";
  text += "  \"base_model\": " + json_string(patch.base_model) + ",\n  \"flips\": [";
  const char* separator = "\n";
  for (const Flip& flip : patch.flips) {
    text += separator;
    append_flip(flip, text);
    separator = ",\n";
  }
  text += patch.flips.empty() ? "],\n" : "\n  ],\n";
  text += format(
      "  \"stats\": {\"n_flips\": %zu, \"bits_flipped\": %llu, \"size_bytes\": %zu},\n",
      patch.flips.size(),
      static_cast<unsigned long long>(count_flipped_bits(patch.flips, patch.base.shapes).bits),
      binary_size_bytes(patch));
  text += "  \"metadata\": {";
  const std::size_t empty_size = text.size();
  append_metadata(patch, text);
  text += text.size() == empty_size ? "}\n}\n" : "\n  }\n}\n";
  return text;
}

}  // namespace bankai::patch
