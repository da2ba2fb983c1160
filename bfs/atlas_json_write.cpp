#include <charconv>

#include <nlohmann/json.hpp>

#include "bfs/atlas_json.h"

namespace bankai::bfs {
namespace {

using Json = nlohmann::ordered_json;

// Numbers in the fewest digits that read back as the same value.
template <typename T>
std::string list_text(const std::vector<T>& values) {
  std::string text = "[";
  for (const T value : values) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    if (text.size() > 1) text += ',';
    text.append(digits, end);
  }
  return text + "]";
}

// An object with one more member, whose value is JSON already.
std::string with_member(std::string object, const char* key, const std::string& value) {
  object.pop_back();
  return object + (object.size() > 1 ? ",\"" : "\"") + key + "\":" + value + "}";
}

// An object's text around lists, whose entries get lines of their own if `breaks`.
std::string lines_text(const std::vector<std::string>& entries, bool breaks) {
  std::string text = "[";
  for (const std::string& entry : entries) {
    if (text.size() > 1) text += ',';
    if (breaks) text += '\n';
    text += entry;
  }
  return text + "]";
}

Json range_json(double mean, const AtlasRange* range) {
  Json json = {{"mean", mean}};
  if (range == nullptr) return json;
  json["min"] = range->min;
  json["max"] = range->max;
  return json;
}

Json best_json(const AtlasDetail& detail, bool with_tensor) {
  Json json = Json::object();
  if (with_tensor) json["tensor"] = short_name(detail.best.tensor.projection);
  json["row"] = detail.best.row;
  if (detail.best.kind == patch::FlipKind::kGroup) json["group"] = detail.best.index;
  if (patch::is_single(detail.best.kind)) json["column"] = detail.best.index;
  json["target_gain"] = detail.best_target_gain;
  json["control_loss"] = detail.best_control_loss;
  json["fitness"] = detail.fitness.max;
  return json;
}

Json kind_json(const AtlasKind& kind, double control_penalty, bool of_layer) {
  const AtlasDetail* detail = kind.detail ? &*kind.detail : nullptr;
  Json json = {{"kind", kAtlasKindNames[static_cast<std::size_t>(kind.kind)]},
               {"candidates", kind.candidates}};
  if (detail != nullptr) json["improving"] = detail->improving;
  json["target_gain"] =
      range_json(kind.mean_target_gain, detail != nullptr ? &detail->target_gain : nullptr);
  if (detail != nullptr) json["target_gain"]["mean_abs"] = detail->mean_abs_target_gain;
  json["control_loss"] =
      range_json(kind.mean_control_loss, detail != nullptr ? &detail->control_loss : nullptr);
  json["fitness"] = range_json(mean_fitness(kind, control_penalty),
                               detail != nullptr ? &detail->fitness : nullptr);
  if (detail != nullptr) json["best"] = best_json(*detail, of_layer);
  return json;
}

std::string tensor_kind_text(const AtlasKind& kind, double control_penalty, bool with_rows) {
  std::string text = kind_json(kind, control_penalty, false).dump();
  if (!with_rows) return text;
  if (kind.kind == patch::FlipKind::kRow) {
    std::string rows = with_member("{}", "target_gain", list_text(kind.row_target_gain));
    rows = with_member(std::move(rows), "control_loss", list_text(kind.row_control_loss));
    return with_member(std::move(text), "rows", rows);
  }
  if (!kind.detail) return text;
  std::string rows = with_member("{}", "best_fitness", list_text(kind.row_best));
  rows = with_member(std::move(rows), "improving", list_text(kind.row_improving));
  return with_member(std::move(text), "rows", rows);
}

std::string tensor_text(const AtlasTensor& tensor, double control_penalty, bool with_rows) {
  const Json json = {{"layer", tensor.address.layer},
                     {"tensor", short_name(tensor.address.projection)},
                     {"rows", tensor.rows},
                     {"cols", tensor.cols}};
  std::vector<std::string> kinds;
  for (const AtlasKind& kind : tensor.kinds)
    kinds.push_back(tensor_kind_text(kind, control_penalty, with_rows));
  return with_member(json.dump(), "kinds", lines_text(kinds, false));
}

std::string layer_text(const Atlas& atlas, const AtlasLayer& layer) {
  Json json = {{"layer", layer.layer}, {"network_flipped", nullptr}, {"kinds", Json::array()}};
  if (layer.impact)
    json["network_flipped"] = {{"mean_abs_change", layer.impact->mean_abs_change},
                               {"mean_change", layer.impact->mean_change},
                               {"control_change", layer.impact->control_change}};
  for (const AtlasKind& kind : layer_kinds(atlas, layer.layer))
    json["kinds"].push_back(kind_json(kind, atlas.settings.control_penalty, true));
  return json.dump();
}

std::string source_text(const AtlasSource& source) {
  const Json json = {{"role", source.is_control ? "control" : "target"},
                     {"file", source.file},
                     {"weight", source.weight},
                     {"items", source.items},
                     {"tokens", source.tokens},
                     {"item_weight", source.item_weight}};
  return json.dump();
}

std::string atlas_text(const Atlas& atlas, bool is_file) {
  const AtlasSettings& settings = atlas.settings;
  Json head = {{"format", "bankai_atlas"},
               {"version", 1},
               {"model", {{"name", settings.model_name}, {"sha256", settings.model_sha256}}},
               {"metric", metric_name(settings.metric)},
               {"control_metric", metric_name(settings.control_metric)},
               {"control_penalty", settings.control_penalty},
               {"curvature", settings.curvature}};
  if (settings.rules)
    head["rules"] = {{"tie", settings.rules->tie},
                     {"score", settings.rules->score},
                     {"threshold", settings.rules->threshold},
                     {"logit_scale", settings.rules->logit_scale}};
  else
    head["activations"] = settings.activations == kernels::ActivationMode::kA8 ? "a8" : "a16";
  head["ctx"] = settings.text_context;
  std::vector<std::string> sources, layers, tensors;
  for (const AtlasSource& source : atlas.sources) sources.push_back(source_text(source));
  for (const AtlasLayer& layer : atlas.layers) layers.push_back(layer_text(atlas, layer));
  for (const AtlasTensor& tensor : atlas.tensors)
    tensors.push_back(tensor_text(tensor, settings.control_penalty, is_file));
  std::string text = with_member(head.dump(), "data", lines_text(sources, is_file));
  text = with_member(std::move(text), "layers", lines_text(layers, is_file));
  return with_member(std::move(text), "tensors", lines_text(tensors, is_file)) + "\n";
}

}  // namespace

std::string format_atlas(const Atlas& atlas) { return atlas_text(atlas, true); }

std::string format_atlas_summary(const Atlas& atlas) { return atlas_text(atlas, false); }

}  // namespace bankai::bfs
