#include "bfs/atlas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>

#include "bfs/atlas_tally.h"
#include "bfs/item_sample.h"
#include "patch/text_rules.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kMostNameBytes = 255;
constexpr std::array kFeedForward = {Projection::kGate, Projection::kUp, Projection::kDown};

// The files' items, in the order in which the objective was built: set by set.
std::vector<AtlasSource> describe_sources(const SearchData& data, const Objective& objective) {
  std::vector<AtlasSource> sources;
  const auto add = [&](const std::vector<WeightedData>& files, bool is_control) {
    for (const WeightedData& file : files) {
      const std::string name = std::filesystem::path(file.data.path).filename().string();
      sources.push_back({is_control, std::string(patch::label_prefix(name, kMostNameBytes)),
                         file.weight, 0, 0, 0.0});
    }
  };
  add(data.targets, false);
  add(data.controls, true);
  for (const Item& item : objective.items) {
    AtlasSource& source = sources[item.set + (item.is_control ? data.targets.size() : 0)];
    std::set<std::uint32_t> sequences;
    for (std::size_t term = item.first_term; term < item.last_term; ++term)
      sequences.insert(objective.terms[term].sequence);
    ++source.items;
    for (const std::uint32_t sequence : sequences)
      source.tokens += objective.sequences[sequence].size();
    source.item_weight += item.weight;
  }
  return sources;
}

bool has_one_bit_network(const patch::MatrixLookup& weights, std::uint32_t layer) {
  return std::all_of(kFeedForward.begin(), kFeedForward.end(), [&](Projection projection) {
    const std::optional<patch::WeightView> view = weights({layer, projection});
    return view && std::holds_alternative<BitMatrixView>(*view);
  });
}

std::vector<patch::Flip> flipped_network(const patch::MatrixLookup& weights, std::uint32_t layer) {
  std::vector<patch::Flip> flips;
  for (const Projection projection : kFeedForward) {
    const TensorAddress tensor{layer, projection};
    const auto rows = static_cast<std::uint32_t>(std::get<BitMatrixView>(*weights(tensor)).rows());
    for (std::uint32_t row = 0; row < rows; ++row)
      flips.push_back({tensor, row, patch::FlipKind::kRow, 0});
  }
  return flips;
}

std::optional<LayerImpact> impact_of(const Objective& objective, std::span<const double> base,
                                     std::span<const double> scores) {
  LayerImpact impact;
  double weights[2] = {0.0, 0.0};  // of the targets, of the controls
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    const Item& item = objective.items[i];
    const double change = scores[i] - base[i];
    weights[item.is_control ? 1 : 0] += item.weight;
    if (item.is_control) {
      impact.control_change += item.weight * change;
    } else {
      impact.mean_change += item.weight * change;
      impact.mean_abs_change += item.weight * std::abs(change);
    }
  }
  impact.mean_change /= weights[0];
  impact.mean_abs_change /= weights[0];
  if (weights[1] > 0.0) impact.control_change /= weights[1];
  if (!std::isfinite(impact.mean_abs_change) || !std::isfinite(impact.control_change)) return {};
  return impact;
}

// The lowest place in the layer where searched flips enter: activations are kept there, and the
// feed-forward network is not below it.
HalfLayer searched_place(const CandidateSpace& space, std::uint32_t layer) {
  HalfLayer place{layer, true};
  bool is_kept = false;
  for (const TensorAddress tensor : space.tensors())
    is_kept = is_kept || half_layer_of(tensor) == place;
  if (!is_kept) place.is_ffn = false;
  return place;
}

Status evaluate_networks(SearchContext& context, SearchState& state,
                         std::vector<AtlasLayer>& layers) {
  const patch::MatrixLookup weights = context.search_model().weights();
  std::vector<std::size_t> flipped;  // of `layers`
  std::vector<HalfLayer> from;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!has_one_bit_network(weights, layers[i].layer)) continue;
    flipped.push_back(i);
    from.push_back(searched_place(context.space(), layers[i].layer));
  }
  if (flipped.empty()) return {};
  const auto flips = [&](std::size_t i) { return flipped_network(weights, from[i].layer); };
  BANKAI_ASSIGN_OR_RETURN(const std::vector<double> scores,
                          context.score_patches(from, flips, state));
  const std::size_t num_items = context.objective().items.size();
  for (std::size_t i = 0; i < flipped.size(); ++i)
    layers[flipped[i]].impact = impact_of(context.objective(), context.base_scores(),
                                          std::span(scores).subspan(i * num_items, num_items));
  return {};
}

// Adds the candidates of a tensor to those of its layer.
void add_kind(AtlasKind& sum, const AtlasKind& more) {
  const auto before = static_cast<double>(sum.candidates);
  const auto added = static_cast<double>(more.candidates);
  const auto mean = [&](double a, double b) { return (a * before + b * added) / (before + added); };
  sum.mean_target_gain = mean(sum.mean_target_gain, more.mean_target_gain);
  sum.mean_control_loss = mean(sum.mean_control_loss, more.mean_control_loss);
  sum.candidates += more.candidates;
  if (!sum.detail || !more.detail) {
    sum.detail.reset();
    return;
  }
  AtlasDetail& all = *sum.detail;
  const auto widen = [](AtlasRange& range, const AtlasRange& other) {
    range = {std::min(range.min, other.min), std::max(range.max, other.max)};
  };
  all.mean_abs_target_gain = mean(all.mean_abs_target_gain, more.detail->mean_abs_target_gain);
  all.improving += more.detail->improving;
  if (more.detail->fitness.max > all.fitness.max) {
    all.best = more.detail->best;
    all.best_target_gain = more.detail->best_target_gain;
    all.best_control_loss = more.detail->best_control_loss;
  }
  widen(all.target_gain, more.detail->target_gain);
  widen(all.control_loss, more.detail->control_loss);
  widen(all.fitness, more.detail->fitness);
}

}  // namespace

Result<Atlas> make_atlas(SearchContext& context, const SearchData& data, const std::string& name,
                         const std::string& sha256, kernels::ActivationMode activations,
                         const std::optional<AtlasRules>& rules) {
  const SearchOptions& options = context.options();
  Atlas atlas;
  atlas.settings = {std::string(patch::label_prefix(name, kMostNameBytes)),
                    sha256,
                    options.metric,
                    options.control_metric,
                    options.control_penalty,
                    options.curvature && !rules,
                    rules ? kernels::ActivationMode::kA16 : activations,
                    options.text_context,
                    rules};
  atlas.sources = describe_sources(data, context.objective());
  SearchState state;
  BANKAI_RETURN_IF_ERROR(context.enter_state(state));
  AtlasSink sink(context.space(), context.search_model().weights(),
                 context.search_model().transformer() == nullptr ? nullptr : &context.model(),
                 options.control_penalty);
  BANKAI_RETURN_IF_ERROR(context.predict(all_items(context.objective()), state, sink));
  atlas.tensors = std::move(sink).tensors();
  for (const AtlasTensor& tensor : atlas.tensors)
    if (!is_table(tensor.address) &&
        (atlas.layers.empty() || atlas.layers.back().layer != tensor.address.layer))
      atlas.layers.push_back({tensor.address.layer, {}});
  BANKAI_RETURN_IF_ERROR(evaluate_networks(context, state, atlas.layers));
  return atlas;
}

std::vector<AtlasKind> layer_kinds(const Atlas& atlas, std::uint32_t layer) {
  std::vector<AtlasKind> kinds;
  for (const AtlasTensor& tensor : atlas.tensors) {
    if (tensor.address.layer != layer || is_table(tensor.address)) continue;
    for (const AtlasKind& kind : tensor.kinds) {
      const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const AtlasKind& other) {
        return other.kind == kind.kind;
      });
      if (same != kinds.end()) {
        add_kind(*same, kind);
      } else {
        kinds.push_back({kind.kind,
                         kind.candidates,
                         kind.mean_target_gain,
                         kind.mean_control_loss,
                         kind.detail,
                         {},
                         {},
                         {},
                         {}});
      }
    }
  }
  std::sort(kinds.begin(), kinds.end(),
            [](const AtlasKind& a, const AtlasKind& b) { return a.kind < b.kind; });
  return kinds;
}

double mean_fitness(const AtlasKind& kind, double control_penalty) {
  return kind.mean_target_gain - control_penalty * kind.mean_control_loss;
}

}  // namespace bankai::bfs
