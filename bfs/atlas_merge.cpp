#include "bfs/atlas_merge.h"

#include <algorithm>

#include "bfs/atlas_tally.h"
#include "core/format.h"

namespace bankai::bfs {
namespace {

std::string kind_shapes(const AtlasTensor& tensor) {
  std::string text = format("%u x %u", tensor.rows, tensor.cols);
  for (const AtlasKind& kind : tensor.kinds) {
    constexpr const char* kNames[] = {" rows", " groups", " bits", " steps up", " steps down"};
    text += kNames[static_cast<std::size_t>(kind.kind)];
  }
  return text;
}

Error differ(const char* what, const std::string& found, const std::string& expected) {
  return make_error(ErrorCode::kBadInput,
                    "cannot be merged: %s is %s, that of the first atlas is %s", what,
                    found.c_str(), expected.c_str());
}

Status check_tensors(const Atlas& first, const Atlas& other) {
  const std::size_t both = std::min(first.tensors.size(), other.tensors.size());
  for (std::size_t i = 0; i < both; ++i) {
    const AtlasTensor &a = first.tensors[i], &b = other.tensors[i];
    const std::string place = "tensor " + std::to_string(i);
    if (a.address != b.address)
      return differ(place.c_str(), to_string(b.address), to_string(a.address));
    if (kind_shapes(a) != kind_shapes(b))
      return differ(to_string(a.address).c_str(), kind_shapes(b), kind_shapes(a));
  }
  if (first.tensors.size() != other.tensors.size())
    return differ("the number of tensors", std::to_string(other.tensors.size()),
                  std::to_string(first.tensors.size()));
  return {};
}

// What each atlas counts in a mean over the targets, or over the controls, of all.
class Mixture {
 public:
  Mixture(std::span<const Atlas> atlases, bool is_control) {
    for (const Atlas& atlas : atlases) {
      double weight = 0.0;
      for (const AtlasSource& source : atlas.sources)
        if (source.is_control == is_control) weight += source.item_weight;
      weights_.push_back(weight);
      total_ += weight;
    }
  }
  // value(i): of atlas i.
  template <typename Value>
  double mean(Value&& value) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < weights_.size(); ++i)
      sum += weights_[i] * static_cast<double>(value(i));
    return total_ > 0.0 ? sum / total_ : 0.0;
  }

 private:
  std::vector<double> weights_;
  double total_ = 0.0;
};

struct Merger {
  std::span<const Atlas> atlases;
  Mixture targets, controls;

  AtlasKind merge_kind(std::size_t tensor, std::size_t index) const {
    const AtlasTensor& shape = atlases[0].tensors[tensor];
    const auto of = [&](std::size_t i) -> const AtlasKind& {
      return atlases[i].tensors[tensor].kinds[index];
    };
    if (of(0).kind == patch::FlipKind::kRow) {
      std::vector<PredictedChange> changes(shape.rows);
      for (std::size_t row = 0; row < shape.rows; ++row)
        changes[row] = PredictedChange::of(
            targets.mean([&](std::size_t i) { return of(i).row_target_gain[row]; }),
            controls.mean([&](std::size_t i) { return of(i).row_control_loss[row]; }));
      AtlasTally tally(shape.address, patch::FlipKind::kRow, shape.rows, 1,
                       atlases[0].settings.control_penalty);
      tally.add(0, changes);
      return std::move(tally).finish();
    }
    AtlasKind kind;
    kind.kind = of(0).kind;
    kind.candidates = of(0).candidates;
    kind.mean_target_gain = targets.mean([&](std::size_t i) { return of(i).mean_target_gain; });
    kind.mean_control_loss = controls.mean([&](std::size_t i) { return of(i).mean_control_loss; });
    return kind;
  }

  std::optional<LayerImpact> merge_impact(std::size_t layer) const {
    const auto of = [&](std::size_t i) -> const std::optional<LayerImpact>& {
      return atlases[i].layers[layer].impact;
    };
    for (std::size_t i = 0; i < atlases.size(); ++i)
      if (!of(i)) return {};
    return LayerImpact{targets.mean([&](std::size_t i) { return of(i)->mean_abs_change; }),
                       targets.mean([&](std::size_t i) { return of(i)->mean_change; }),
                       controls.mean([&](std::size_t i) { return of(i)->control_change; })};
  }
};

// "none" for models whose files leave nothing open.
std::string rules_text(const std::optional<AtlasRules>& rules) {
  if (!rules) return "none";
  return format("tie %s, score %s, threshold %s, logit scale %.17g", rules->tie.c_str(),
                rules->score.c_str(), rules->threshold.c_str(), rules->logit_scale);
}

}  // namespace

Status check_mergeable(const Atlas& first, const Atlas& other) {
  const AtlasSettings &a = first.settings, &b = other.settings;
  const auto mode = [](kernels::ActivationMode activations) {
    return activations == kernels::ActivationMode::kA8 ? "a8" : "a16";
  };
  const auto check = [](const char* what, const std::string& found, const std::string& expected) {
    return found == expected ? Status() : Status(differ(what, found, expected));
  };
  // First: another threshold makes another model.
  BANKAI_RETURN_IF_ERROR(check("the set of rules", rules_text(b.rules), rules_text(a.rules)));
  BANKAI_RETURN_IF_ERROR(check("the model's SHA-256", b.model_sha256, a.model_sha256));
  BANKAI_RETURN_IF_ERROR(
      check("the metric", std::string(metric_name(b.metric)), std::string(metric_name(a.metric))));
  BANKAI_RETURN_IF_ERROR(check("the controls' metric", std::string(metric_name(b.control_metric)),
                               std::string(metric_name(a.control_metric))));
  BANKAI_RETURN_IF_ERROR(check("the control penalty", format("%.17g", b.control_penalty),
                               format("%.17g", a.control_penalty)));
  BANKAI_RETURN_IF_ERROR(
      check("the curvature", b.curvature ? "on" : "off", a.curvature ? "on" : "off"));
  BANKAI_RETURN_IF_ERROR(check("the activation mode", mode(b.activations), mode(a.activations)));
  BANKAI_RETURN_IF_ERROR(
      check("the window of texts", std::to_string(b.text_context), std::to_string(a.text_context)));
  return check_tensors(first, other);
}

Atlas merge_atlases(std::span<const Atlas> atlases) {
  BANKAI_CHECK(!atlases.empty(), "nothing to merge");
  if (atlases.size() == 1) return atlases[0];
  const Merger merger{atlases, Mixture(atlases, false), Mixture(atlases, true)};
  Atlas merged;
  merged.settings = atlases[0].settings;
  for (const Atlas& atlas : atlases)
    merged.sources.insert(merged.sources.end(), atlas.sources.begin(), atlas.sources.end());
  std::stable_partition(merged.sources.begin(), merged.sources.end(),
                        [](const AtlasSource& source) { return !source.is_control; });
  for (std::size_t layer = 0; layer < atlases[0].layers.size(); ++layer)
    merged.layers.push_back({atlases[0].layers[layer].layer, merger.merge_impact(layer)});
  for (std::size_t i = 0; i < atlases[0].tensors.size(); ++i) {
    const AtlasTensor& shape = atlases[0].tensors[i];
    merged.tensors.push_back({shape.address, shape.rows, shape.cols, {}});
    for (std::size_t kind = 0; kind < shape.kinds.size(); ++kind)
      merged.tensors.back().kinds.push_back(merger.merge_kind(i, kind));
  }
  return merged;
}

}  // namespace bankai::bfs
