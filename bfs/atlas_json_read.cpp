#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "bfs/atlas_json.h"
#include "core/bit_matrix.h"
#include "core/format.h"
#include "core/sha256.h"
#include "patch/json_guard.h"
#include "patch/text_rules.h"

namespace bankai::bfs {
namespace {

using Json = nlohmann::json;

constexpr auto kLargest = static_cast<double>(std::numeric_limits<float>::max());
// Sums of weights times values of that size stay far within a double.
constexpr double kMostWeight = 1e100;
constexpr std::uint64_t kMostCount = std::uint64_t{1} << 62U;

// One object of the document. The first thing that is wrong is kept in `status`, and what is read
// after it has no meaning.
class Fields {
 public:
  Fields(const Json& object, std::string place, Status& status)
      : object_(object), place_(std::move(place)), status_(status) {
    if (!object_.is_object()) fail("is not an object");
  }

  bool ok() const { return status_.ok(); }
  void fail(const std::string& problem) {
    if (status_.ok())
      status_ = Error{ErrorCode::kBadInput, place_ + (place_.empty() ? "" : ": ") + problem};
  }

  // Null if there is none, which is an error if it is required.
  const Json* find(const char* key, bool required = true) {
    if (!ok()) return nullptr;
    const auto found = object_.find(key);
    if (found != object_.end()) return &*found;
    if (required) fail(std::string("\"") + key + "\" is missing");
    return nullptr;
  }
  Fields object(const char* key) {
    static const Json nothing = Json::object();
    const Json* found = find(key);
    return {found != nullptr ? *found : nothing, place_ + (place_.empty() ? "" : ".") + key,
            status_};
  }
  double number(const char* key, double least = -kLargest, double most = kLargest) {
    const Json* found = find(key);
    if (found == nullptr) return 0.0;
    const double value = found->is_number() ? found->get<double>() : std::nan("");
    if (value >= least && value <= most) return value;
    wrong(key, *found, format("a number from %g to %g", least, most));
    return 0.0;
  }
  std::uint64_t count(const char* key, std::uint64_t most) {
    const Json* found = find(key);
    if (found == nullptr) return 0;
    if (found->is_number_unsigned() && found->get<std::uint64_t>() <= most)
      return found->get<std::uint64_t>();
    wrong(key, *found, format("a whole number up to %llu", static_cast<unsigned long long>(most)));
    return 0;
  }
  std::string label(const char* key) {
    const Json* found = find(key);
    if (found == nullptr) return {};
    if (!found->is_string()) {
      wrong(key, *found, "a string");
      return {};
    }
    const auto text = found->get<std::string>();
    const Status checked = patch::check_label(text, key);
    if (!checked.ok()) fail(checked.error().message);
    return text;
  }
  // One of some texts: its index.
  template <typename Texts>
  std::size_t choice(const char* key, const Texts& texts) {
    const std::string text = label(key);
    for (std::size_t i = 0; i < std::size(texts) && ok(); ++i)
      if (text == texts[i]) return i;
    if (ok()) fail(std::string("\"") + key + "\" is unknown: " + bankai::quoted(text));
    return 0;
  }
  // A list of objects: visit(Fields) on each.
  template <typename Visit>
  void each(const char* key, Visit&& visit) {
    const Json* found = find(key);
    if (found == nullptr) return;
    if (!found->is_array()) {
      wrong(key, *found, "a list");
      return;
    }
    for (std::size_t i = 0; i < found->size() && ok(); ++i) {
      Fields entry((*found)[i], (place_.empty() ? "" : place_ + ".") + key + format("[%zu]", i),
                   status_);
      if (entry.ok()) visit(entry);
    }
  }
  // A list of exactly `count` numbers.
  template <typename T>
  std::vector<T> numbers(const char* key, std::size_t count, double least, double most) {
    const Json* found = find(key);
    std::vector<T> values;
    if (found == nullptr) return values;
    if (!found->is_array() || found->size() != count) {
      wrong(key, *found, format("a list of %zu numbers", count));
      return values;
    }
    values.reserve(count);
    for (const Json& entry : *found) {
      const bool fits =
          std::is_floating_point_v<T> ? entry.is_number() : entry.is_number_unsigned();
      const double value = fits ? entry.get<double>() : std::nan("");
      if (!(value >= least && value <= most)) {
        fail(format("\"%s\"[%zu] is no number from %g to %g", key, values.size(), least, most));
        return {};
      }
      values.push_back(static_cast<T>(value));
    }
    return values;
  }

 private:
  void wrong(const char* key, const Json& found, const std::string& expected) {
    const std::string shown = found.is_structured()
                                  ? format("a list or object of %zu", found.size())
                                  : found.dump(-1, ' ', true);
    fail(std::string("\"") + key + "\" is " + shown.substr(0, 40) + ", expected " + expected);
  }

  const Json& object_;
  std::string place_;
  Status& status_;
};

AtlasRange read_range(Fields fields, double& mean, bool with_range) {
  mean = fields.number("mean");
  if (!with_range) return {};
  return {fields.number("min"), fields.number("max")};
}

std::uint64_t candidates_per_row(patch::FlipKind kind, std::uint32_t cols) {
  if (kind == patch::FlipKind::kRow) return 1;
  return patch::is_single(kind) ? cols : cols / kGroupCols;
}

void read_best(Fields fields, const AtlasTensor& tensor, patch::FlipKind kind,
               AtlasDetail& detail) {
  detail.best.tensor = tensor.address;
  detail.best.kind = kind;
  detail.best.row = static_cast<std::uint32_t>(fields.count("row", tensor.rows - 1));
  if (kind != patch::FlipKind::kRow)
    detail.best.index = static_cast<std::uint32_t>(
        fields.count(kind == patch::FlipKind::kGroup ? "group" : "column",
                     candidates_per_row(kind, tensor.cols) - 1));
  detail.best_target_gain = fields.number("target_gain");
  detail.best_control_loss = fields.number("control_loss");
}

AtlasKind read_kind(Fields& fields, const AtlasTensor& tensor) {
  AtlasKind kind;
  kind.kind = static_cast<patch::FlipKind>(fields.choice("kind", kAtlasKindNames));
  const std::uint64_t per_row = candidates_per_row(kind.kind, tensor.cols);
  kind.candidates = fields.count("candidates", kMostCount);
  // A search may not take all of the steps.
  const bool fits = patch::is_step(kind.kind)
                        ? kind.candidates > 0 && kind.candidates <= tensor.rows * per_row
                        : kind.candidates == tensor.rows * per_row;
  if (!fits)
    fields.fail(format("\"candidates\" is %llu, but the tensor has %llu",
                       static_cast<unsigned long long>(kind.candidates),
                       static_cast<unsigned long long>(tensor.rows * per_row)));
  const bool is_row = kind.kind == patch::FlipKind::kRow;
  const bool has_detail = is_row || fields.find("improving", false) != nullptr;
  AtlasDetail detail;
  detail.target_gain = read_range(fields.object("target_gain"), kind.mean_target_gain, has_detail);
  detail.control_loss =
      read_range(fields.object("control_loss"), kind.mean_control_loss, has_detail);
  if (!has_detail || !fields.ok()) return kind;
  double mean = 0.0;
  detail.fitness = read_range(fields.object("fitness"), mean, true);
  detail.improving = fields.count("improving", kind.candidates);
  detail.mean_abs_target_gain = fields.object("target_gain").number("mean_abs");
  read_best(fields.object("best"), tensor, kind.kind, detail);
  kind.detail = detail;
  Fields rows = fields.object("rows");
  if (is_row) {
    kind.row_target_gain = rows.numbers<float>("target_gain", tensor.rows, -kLargest, kLargest);
    kind.row_control_loss = rows.numbers<float>("control_loss", tensor.rows, -kLargest, kLargest);
  } else {
    kind.row_best = rows.numbers<float>("best_fitness", tensor.rows, -kLargest, kLargest);
    kind.row_improving =
        rows.numbers<std::uint32_t>("improving", tensor.rows, 0.0, static_cast<double>(per_row));
  }
  return kind;
}

AtlasTensor read_tensor(Fields& fields) {
  AtlasTensor tensor;
  tensor.address.layer = static_cast<std::uint32_t>(fields.count("layer", patch::kMaxLayers - 1));
  const auto projection = projection_from_short_name(fields.label("tensor"));
  if (projection) tensor.address.projection = *projection;
  if (!projection || (is_table(tensor.address) && tensor.address.layer != 0))
    fields.fail("\"tensor\" names no matrix of the layer");
  tensor.rows = static_cast<std::uint32_t>(fields.count("rows", patch::kMaxRows));
  tensor.cols = static_cast<std::uint32_t>(fields.count("cols", patch::kMaxCols));
  if (tensor.rows == 0 || tensor.cols == 0 || tensor.cols % kGroupCols != 0)
    fields.fail("a matrix has rows, and groups of 128 columns");
  fields.each("kinds", [&](Fields& kind) {
    tensor.kinds.push_back(read_kind(kind, tensor));
    const std::size_t n = tensor.kinds.size();
    if (n > 1 && tensor.kinds[n - 2].kind >= tensor.kinds[n - 1].kind)
      kind.fail("kinds do not ascend");
  });
  if (tensor.kinds.empty()) fields.fail("\"kinds\" is empty");
  return tensor;
}

AtlasLayer read_layer(Fields& fields) {
  AtlasLayer layer;
  layer.layer = static_cast<std::uint32_t>(fields.count("layer", patch::kMaxLayers - 1));
  const Json* impact = fields.find("network_flipped");
  if (impact == nullptr || impact->is_null()) return layer;
  Fields values = fields.object("network_flipped");
  layer.impact = {values.number("mean_abs_change"), values.number("mean_change"),
                  values.number("control_change")};
  return layer;
}

AtlasSource read_source(Fields& fields) {
  constexpr const char* kRoles[] = {"target", "control"};
  constexpr double kLeastWeight = 1.0 / kMostWeight;
  AtlasSource source;
  source.is_control = fields.choice("role", kRoles) == 1;
  source.file = fields.label("file");
  source.weight = fields.number("weight", kLeastWeight, kMostWeight);
  source.items = fields.count("items", kMostCount);
  source.tokens = fields.count("tokens", kMostCount);
  source.item_weight = fields.number("item_weight", 0.0, kMostWeight);
  return source;
}

AtlasRules read_rules(Fields fields) {
  constexpr const char* kTies[] = {"earliest", "latest"};
  constexpr const char* kScores[] = {"dot", "popcount"};
  constexpr const char* kThresholds[] = {"reached", "passed"};
  AtlasRules rules;
  rules.tie = kTies[fields.choice("tie", kTies)];
  rules.score = kScores[fields.choice("score", kScores)];
  rules.threshold = kThresholds[fields.choice("threshold", kThresholds)];
  rules.logit_scale = fields.number("logit_scale", std::numeric_limits<double>::denorm_min(),
                                    std::numeric_limits<double>::max());
  return rules;
}

AtlasSettings read_settings(Fields& fields) {
  constexpr const char* kModes[] = {"a8", "a16"};
  constexpr kernels::ActivationMode kActivations[] = {kernels::ActivationMode::kA8,
                                                      kernels::ActivationMode::kA16};
  AtlasSettings settings;
  Fields model = fields.object("model");
  settings.model_name = model.label("name");
  settings.model_sha256 = model.label("sha256");
  Sha256Digest digest;
  if (!from_hex(settings.model_sha256, digest))
    model.fail("\"sha256\" is not 64 hexadecimal digits");
  std::vector<std::string_view> metrics;
  for (const MetricName& metric : all_metrics()) metrics.push_back(metric.name);
  settings.metric = all_metrics()[fields.choice("metric", metrics)].metric;
  settings.control_metric = all_metrics()[fields.choice("control_metric", metrics)].metric;
  settings.control_penalty = fields.number("control_penalty", 0.0, kMostAtlasPenalty);
  const Json* curvature = fields.find("curvature");
  if (curvature != nullptr && !curvature->is_boolean())
    fields.fail("\"curvature\" is neither true nor false");
  settings.curvature = fields.ok() && curvature->get<bool>();
  if (fields.find("rules", false) != nullptr)
    settings.rules = read_rules(fields.object("rules"));
  else
    settings.activations = kActivations[fields.choice("activations", kModes)];
  if (settings.rules && settings.curvature) fields.fail("\"curvature\" does not go with \"rules\"");
  settings.text_context = fields.count("ctx", kMostCount);
  return settings;
}

// The layers of the tensors, and at least one target.
void check_lists(const Atlas& atlas, Fields& fields) {
  std::vector<std::uint32_t> expected, found;
  for (std::size_t i = 0; i < atlas.tensors.size(); ++i) {
    const TensorAddress address = atlas.tensors[i].address;
    if (i > 0 && atlas.tensors[i - 1].address >= address)
      fields.fail(format("tensors[%zu] does not follow the one before it", i));
    if (!is_table(address) && (expected.empty() || expected.back() != address.layer))
      expected.push_back(address.layer);
  }
  for (const AtlasLayer& layer : atlas.layers) found.push_back(layer.layer);
  if (atlas.tensors.empty()) fields.fail("\"tensors\" is empty");
  if (found != expected) fields.fail("\"layers\" are not those of the tensors");
  const bool has_target = std::any_of(
      atlas.sources.begin(), atlas.sources.end(),
      [](const AtlasSource& source) { return !source.is_control && source.item_weight > 0.0; });
  if (!has_target) fields.fail("\"data\" has no target");
}

}  // namespace

Result<Atlas> parse_atlas(std::string_view text) {
  BANKAI_RETURN_IF_ERROR(patch::check_json(text));
  const Json json = Json::parse(text);
  Status status;
  Fields fields(json, "", status);
  const Json* name = fields.find("format");
  if (name == nullptr || *name != "bankai_atlas")
    return Error{ErrorCode::kBadInput,
                 "not a sensitivity atlas: its \"format\" is not bankai_atlas"};
  if (const std::uint64_t version = fields.count("version", kMostCount);
      fields.ok() && version != 1)
    return make_error(ErrorCode::kUnsupported, "atlas version %llu, expected 1",
                      static_cast<unsigned long long>(version));
  Atlas atlas;
  atlas.settings = read_settings(fields);
  fields.each("data", [&](Fields& entry) { atlas.sources.push_back(read_source(entry)); });
  fields.each("layers", [&](Fields& entry) { atlas.layers.push_back(read_layer(entry)); });
  fields.each("tensors", [&](Fields& entry) { atlas.tensors.push_back(read_tensor(entry)); });
  if (status.ok()) check_lists(atlas, fields);
  BANKAI_RETURN_IF_ERROR(status);
  return atlas;
}

}  // namespace bankai::bfs
