// The sensitivity atlas: what first order says of every candidate, summed up by tensor, row and
// layer, and what flipping a whole layer's feed-forward network does, exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bfs/search_context.h"
#include "kernels/matmul.h"
#include "patch/flip.h"

namespace bankai::bfs {

// All gains, losses and changes are in the scores' unit (nats); fitness is
// gain − control_penalty · loss, of one candidate alone on the unpatched model.
struct AtlasRange {
  double min = 0.0;
  double max = 0.0;
};

// What a merge of atlases over different data cannot know from summed-up candidates.
struct AtlasDetail {
  std::uint64_t improving = 0;  // candidates with a fitness above 0
  double mean_abs_target_gain = 0.0;
  AtlasRange target_gain, control_loss, fitness;
  patch::Flip best;  // of the highest fitness; among equals the first
  double best_target_gain = 0.0;
  double best_control_loss = 0.0;
};

// The candidates of one kind in a tensor or a layer.
struct AtlasKind {
  patch::FlipKind kind = patch::FlipKind::kRow;
  std::uint64_t candidates = 0;  // that a search may take
  double mean_target_gain = 0.0;
  double mean_control_loss = 0.0;
  std::optional<AtlasDetail> detail;
  // By row of a tensor. Of the row flips:
  std::vector<float> row_target_gain, row_control_loss;
  // Of the other kinds in the row, empty without detail: the highest fitness (0 if there are none),
  // and how many improve.
  std::vector<float> row_best;
  std::vector<std::uint32_t> row_improving;
};

struct AtlasTensor {
  TensorAddress address;
  std::uint32_t rows = 0;
  std::uint32_t cols = 0;
  std::vector<AtlasKind> kinds;  // ascending
};

// What flipping all gate, up and down rows of a layer does to the items' scores: weighted means.
struct LayerImpact {
  double mean_abs_change = 0.0;  // over targets
  double mean_change = 0.0;      // over targets
  double control_change = 0.0;   // over controls
};

struct AtlasLayer {
  std::uint32_t layer = 0;
  std::optional<LayerImpact> impact;  // none where a matrix is not one-bit or a score no number
};

// One file of calibration data.
struct AtlasSource {
  bool is_control = false;
  std::string file;          // its name, without folders
  double weight = 1.0;       // of FILE:WEIGHT
  std::uint64_t items = 0;   // probes, or windows of text
  std::uint64_t tokens = 0;  // of the items' sequences, each item by itself
  double item_weight = 0.0;  // sum over the items
};

// What the file of a strictly binary model leaves open, by the names of the options
// (docs/binary_models.md).
struct AtlasRules {
  std::string tie;        // "earliest" or "latest"
  std::string score;      // "dot" or "popcount"
  std::string threshold;  // "reached" or "passed"
  double logit_scale = 1.0;
};

// What has to be the same for atlases to be merged, but for the name.
struct AtlasSettings {
  std::string model_name;
  std::string model_sha256;  // hexadecimal
  Metric metric = Metric::kNll;
  Metric control_metric = Metric::kNll;
  double control_penalty = 2.0;
  bool curvature = true;
  kernels::ActivationMode activations = kernels::ActivationMode::kA16;
  std::uint64_t text_context = 512;
  std::optional<AtlasRules> rules;  // of strictly binary models: no curvature, no activation mode
};

// Larger penalties would take a fitness out of the range of a float.
inline constexpr double kMostAtlasPenalty = 1e9;

struct Atlas {
  AtlasSettings settings;
  std::vector<AtlasSource> sources;  // targets first; at least one of them
  std::vector<AtlasLayer> layers;    // those of the tensors but for tables, ascending
  std::vector<AtlasTensor> tensors;  // ascending
};

// Embedding and head, which belong to no layer though their address has one.
inline bool is_table(TensorAddress tensor) { return tensor.projection >= Projection::kEmbedding; }

// Collective. Predicts all candidates of the space on the unpatched model and evaluates the whole
// feed-forward network of each searched layer flipped. The result depends neither on ranks nor on
// threads. `name`, `sha256`: of the model. rules: of a strictly binary one, for which `activations`
// means nothing. REQUIRES: a penalty of at most kMostAtlasPenalty.
// Errors: kStopped.
Result<Atlas> make_atlas(SearchContext& context, const SearchData& data, const std::string& name,
                         const std::string& sha256, kernels::ActivationMode activations,
                         const std::optional<AtlasRules>& rules = {});

// A layer's candidates by kind, without rows: the sum of its tensors, tables left out.
std::vector<AtlasKind> layer_kinds(const Atlas& atlas, std::uint32_t layer);

// The mean of the fitness over candidates.
double mean_fitness(const AtlasKind& kind, double control_penalty);

}  // namespace bankai::bfs
