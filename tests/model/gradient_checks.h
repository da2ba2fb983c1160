// A block of segments with an objective, and what a backward pass tells of it.
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/backward.h"
#include "tests/support/small_model.h"

namespace bankai::model {

// The sum of the log-probabilities of `targets`, one after each scored row.
struct GradientProblem {
  std::vector<TokenId> tokens;
  std::vector<Segment> segments;
  std::vector<std::size_t> scored_rows;
  std::vector<TokenId> targets;

  // Appends a segment whose rows from `first_scored` on are scored.
  void add_segment(std::size_t length, std::size_t first_scored, std::size_t vocabulary,
                   std::uint64_t seed) {
    const auto drawn = bankai::testing::random_tokens(2 * length, vocabulary, seed);
    segments.push_back({tokens.size(), length, nullptr, 0});
    for (std::size_t i = first_scored; i < length; ++i) {
      scored_rows.push_back(tokens.size() + i);
      targets.push_back(drawn[length + i]);
    }
    tokens.insert(tokens.end(), drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(length));
  }
};

// One token alone, segments of several lengths, one of them scored at its end only.
inline GradientProblem some_segments(std::size_t vocabulary, std::uint64_t seed) {
  GradientProblem problem;
  problem.add_segment(1, 0, vocabulary, seed);
  problem.add_segment(9, 0, vocabulary, seed + 1);
  problem.add_segment(6, 4, vocabulary, seed + 2);
  return problem;
}

// A model with every kind of path: grouped heads, matrices of several types, sums over products.
inline bankai::testing::SmallShape mixed_shape() {
  bankai::testing::SmallShape shape;
  shape.num_heads = 6;
  shape.num_kv_heads = 2;
  using kernels::TensorType;
  shape.types = {TensorType::kQ1_0, TensorType::kQ1_0, TensorType::kQ8_0, TensorType::kQ1_0,
                 TensorType::kF16};
  return shape;
}

inline double log_total(std::span<const double> logits) {
  double largest = logits[0];
  for (const double logit : logits) largest = std::max(largest, logit);
  double total = 0.0;
  for (const double logit : logits) total += std::exp(logit - largest);
  return largest + std::log(total);
}

inline LogitGradient objective_gradient(const GradientProblem& problem) {
  return [&problem](std::size_t i, std::span<const float> logits, std::span<float> gradient) {
    const double total = log_total(std::vector<double>(logits.begin(), logits.end()));
    for (std::size_t j = 0; j < logits.size(); ++j)
      gradient[j] = static_cast<float>(-std::exp(static_cast<double>(logits[j]) - total));
    gradient[static_cast<std::size_t>(problem.targets[i])] += 1.0F;
  };
}

// (rows, width) values of some block rows.
struct RecordedArray {
  std::size_t width = 0;
  std::vector<std::size_t> tokens;
  std::vector<float> values;

  // The rows of block rows [first, first + count).
  std::vector<float> rows(std::size_t first, std::size_t count) const {
    std::vector<float> some;
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] >= first && tokens[i] < first + count)
        some.insert(some.end(), values.begin() + static_cast<std::ptrdiff_t>(i * width),
                    values.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    return some;
  }
  friend bool operator==(const RecordedArray&, const RecordedArray&) = default;
};

// Keeps all arrays: "gate" and so on are gradients, "gate output" what was put out, "gate input"
// what was taken in, as integers with their scales multiplied in.
class GradientRecorder final : public GradientVisitor {
 public:
  using Key = std::pair<std::size_t, std::string>;  // layer, name

  explicit GradientRecorder(const Hyperparameters& parameters) : h_(parameters) {}

  void visit_ffn(std::size_t layer, const FfnGradients& g) override {
    places.push_back({layer, true});
    add(layer, "gate", h_.feed_forward, g.tokens, g.gate);
    add(layer, "up", h_.feed_forward, g.tokens, g.up);
    add(layer, "down", h_.embedding, g.tokens, g.down);
    add(layer, "hidden", h_.feed_forward, g.tokens, g.hidden_gradient);
  }
  void visit_attention(std::size_t layer, const AttentionGradients& g) override {
    places.push_back({layer, false});
    add(layer, "query", h_.query_dim(), g.tokens, g.query);
    add(layer, "key", h_.kv_dim(), g.tokens, g.key);
    add(layer, "value", h_.kv_dim(), g.tokens, g.value);
    add(layer, "output", h_.embedding, g.tokens, g.output);
    add(layer, "query_normed", h_.query_dim(), g.tokens, g.query_normed_gradient);
    add(layer, "key_normed", h_.kv_dim(), g.tokens, g.key_normed_gradient);
    add(layer, "query_normed output", h_.query_dim(), g.tokens, g.query_normed);
    add(layer, "key_normed output", h_.kv_dim(), g.tokens, g.key_normed);
  }

  void finish(HalfLayerPlace place) override { finished.push_back(place); }

  std::map<Key, RecordedArray> arrays;
  std::vector<HalfLayerPlace> places, finished;  // in the order of the visits

 private:
  void add(std::size_t layer, const std::string& name, std::size_t width,
           std::span<const std::size_t> tokens, const float* values) {
    RecordedArray& array = arrays[{layer, name}];  // of the slices so far
    array.width = width;
    array.tokens.insert(array.tokens.end(), tokens.begin(), tokens.end());
    array.values.insert(array.values.end(), values, values + tokens.size() * width);
  }
  void add(std::size_t layer, const std::string& name, std::size_t width,
           std::span<const std::size_t> tokens, const ProjectionGradient& g) {
    add(layer, name, width, tokens, g.gradient);
    add(layer, name + " output", width, tokens, g.output);
    std::vector<float> input;
    const std::size_t cols = g.input->cols();
    const kernels::Activations digits = g.input->integers(0, tokens.size());
    for (std::size_t i = 0; i < tokens.size() * cols; ++i) {
      const int low = digits.low != nullptr ? digits.low[i] : 0;
      const int value = digits.low != nullptr ? 255 * digits.high[i] + low : digits.high[i];
      input.push_back(static_cast<float>(value) * digits.scales[i / 128]);
    }
    add(layer, name + " input", cols, tokens, input.data());
  }

  const Hyperparameters& h_;
};

struct BackwardSettings {
  std::size_t memory_limit = std::size_t{1} << 30U;
  std::optional<bool> fine = std::nullopt;
  HalfLayerPlace lowest = {};
  std::vector<IndexRange> slices = {};
};

inline GradientRecorder record_gradients(Transformer& transformer, const GradientProblem& problem,
                                         const Replacements& replacements = {},
                                         const BackwardSettings& settings = {}) {
  GradientRecorder recorder(transformer.model().parameters());
  BackwardPass pass(transformer, settings.memory_limit, {.fine = settings.fine});
  pass.run(problem.tokens, problem.segments, replacements, problem.scored_rows,
           objective_gradient(problem), settings.lowest, recorder, settings.slices);
  return recorder;
}

}  // namespace bankai::model
