#include "bfs/flip_effects.h"

#include <algorithm>
#include <limits>

#include "bfs/pointer_effects.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

using model::BinaryMatrix;
using model::PackedLinear;

// Sums of effects stay finite; orders beyond this mean nothing.
constexpr float kLargestEffect = 1e24F;
constexpr std::size_t kTokensTogether = 64;

// ±1 of `bits` bits.
void expand_signs(const std::uint64_t* words, std::size_t bits, float* signs) {
  for (std::size_t i = 0; i < bits; ++i) signs[i] = sign_at(words, i);
}

void add_scaled(float factor, const float* x, std::size_t n, float* sums) {
  for (std::size_t i = 0; i < n; ++i) sums[i] += factor * x[i];
}

// The product of a matrix and some tokens, backwards: the effects of its inputs' flips are added
// to `inputs`. With y = ±1 for an output next to its threshold, that is
//   Σ_r [w_rc x_c = y_r] D_r = ½ Σ_r D_r + ½ x_c Σ_r y_r D_r w_rc.
class ProductEffects {
 public:
  ProductEffects(const BinaryMatrix& weights, std::span<const std::int32_t> thresholds,
                 const ProductSums& sums, const std::vector<std::uint64_t>& in)
      : weights_(weights), thresholds_(thresholds), sums_(sums), in_(in) {}

  void add(int threads, const BitEffects& outputs, BitEffects& inputs) const {
    const std::size_t tokens = sums_.size() / weights_.rows;
    const std::size_t tiles = (tokens + kTokensTogether - 1) / kTokensTogether;
    model::parallel_for(threads, tiles, [&](IndexRange range) {
      for (std::size_t tile = range.begin; tile < range.end; ++tile)
        add_tile({tile * kTokensTogether, std::min(tokens, (tile + 1) * kTokensTogether)}, outputs,
                 inputs);
    });
  }

 private:
  void add_tile(IndexRange tokens, const BitEffects& outputs, BitEffects& inputs) const {
    const std::size_t cols = weights_.cols, rows = weights_.rows;
    std::vector<float> linear(tokens.size() * cols), curved(linear.size()), row(cols), x(cols);
    std::vector<float> linear_total(tokens.size()), curved_total(tokens.size());
    for (std::size_t r = 0; r < rows; ++r) {
      bool is_expanded = false;
      for (std::size_t t = tokens.begin; t < tokens.end; ++t) {
        const std::size_t place = t * rows + r;
        if (!is_next_to_threshold(sums_[place], thresholds_[r])) continue;
        const float by_linear = 0.5F * outputs.linear[place];
        const float by_curved = 0.5F * outputs.curved[place];
        if (by_linear == 0.0F && by_curved == 0.0F) continue;
        if (!is_expanded) expand_signs(weights_.row(r), cols, row.data());
        is_expanded = true;
        const float y = sums_[place] >= thresholds_[r] ? 1.0F : -1.0F;
        const std::size_t i = t - tokens.begin;
        add_scaled(y * by_linear, row.data(), cols, linear.data() + i * cols);
        add_scaled(y * by_curved, row.data(), cols, curved.data() + i * cols);
        linear_total[i] += by_linear;
        curved_total[i] += by_curved;
      }
    }
    for (std::size_t t = tokens.begin; t < tokens.end; ++t) {
      expand_signs(in_.data() + t * weights_.row_words(), cols, x.data());
      const std::size_t i = t - tokens.begin;
      for (std::size_t c = 0; c < cols; ++c) {
        inputs.linear[t * cols + c] += linear_total[i] + x[c] * linear[i * cols + c];
        inputs.curved[t * cols + c] += curved_total[i] + x[c] * curved[i * cols + c];
      }
    }
  }

  const BinaryMatrix& weights_;
  std::span<const std::int32_t> thresholds_;
  const ProductSums& sums_;
  const std::vector<std::uint64_t>& in_;
};

// sign(x + a + f), backwards.
void add_majority(const BitEffects& above, const model::BinaryActivations& bits, std::size_t width,
                  LayerEffects& effects) {
  const std::size_t words = BinaryMatrix::words_of(width);
  for (std::size_t t = 0; t * width < above.linear.size(); ++t)
    for (std::size_t c = 0; c < width; ++c) {
      const std::size_t i = t * width + c;
      const float x = sign_at(bits.state.data() + t * words, c);
      const float a = sign_at(bits.o.data() + t * words, c);
      const float f = sign_at(bits.down.data() + t * words, c);
      const float linear = std::clamp(above.linear[i], -kLargestEffect, kLargestEffect);
      const float curved = std::clamp(above.curved[i], -kLargestEffect, kLargestEffect);
      const auto set = [&](bool flips, BitEffects& to) {
        to.linear[i] = flips ? linear : 0.0F;
        to.curved[i] = flips ? curved : 0.0F;
      };
      set(a != f, effects.state);
      set(x != f, effects.o);
      set(x != a, effects.down);
    }
}

// ln of the probability of the tokens whose sign in a column is `sign`. sum: of probabilities,
// which has the answer unless it is too small for a double.
double log_mass(const LogitView& view, const BinaryMatrix& codebook, std::size_t col, float sign,
                double sum) {
  constexpr double kLeastSum = 1e-290;
  if (sum > kLeastSum) return kernels::log_f64(sum);
  double log_sum = -std::numeric_limits<double>::infinity();
  for (std::size_t v = 0; v < codebook.rows; ++v)
    if (sign_at(codebook.row(v), col) == sign)
      log_sum = log_add(log_sum, view.log_probabilities[v]);
  return log_sum;
}

}  // namespace

void BitEffects::reset(std::size_t count) {
  linear.assign(count, 0.0F);
  curved.assign(count, 0.0F);
}

BitEffects top_effects(const model::BinaryTransformer& transformer, const BinaryTrace& trace,
                       std::span<const TokenView> views, double step) {
  const model::BinaryModel& model = transformer.model();
  const std::size_t width = model.shape.width;
  BitEffects effects;
  effects.reset(trace.num_tokens() * width);
  std::vector<float> row(width);
  std::vector<double> plus(width), minus(width), gain(width);  // probabilities by sign
  for (const TokenView& token : views) {
    const LogitView& view = token.view;
    std::fill(plus.begin(), plus.end(), 0.0);
    std::fill(minus.begin(), minus.end(), 0.0);
    std::fill(gain.begin(), gain.end(), 0.0);
    for (std::size_t v = 0; v < view.probabilities.size(); ++v) {
      expand_signs(model.codebook.row(v), width, row.data());
      const double half = 0.5 * view.probabilities[v];
      for (std::size_t c = 0; c < width; ++c) {
        plus[c] += half + half * static_cast<double>(row[c]);
        minus[c] += half - half * static_cast<double>(row[c]);
      }
    }
    for (const auto& [target, coefficient] : view.targets)
      for (std::size_t c = 0; c < width; ++c)
        gain[c] += coefficient * static_cast<double>(sign_at(
                                     model.codebook.row(static_cast<std::size_t>(target)), c));
    for (std::size_t c = 0; c < width; ++c) {
      const float sign = sign_at(trace.top.data() + token.token * transformer.state_words(), c);
      const double x = static_cast<double>(sign), mean = plus[c] - minus[c];
      // The logits of tokens with the sign of x fall by a step, those of the others rise.
      const double falls = log_mass(view, model.codebook, c, sign, sign > 0 ? plus[c] : minus[c]);
      const double rises = log_mass(view, model.codebook, c, -sign, sign > 0 ? minus[c] : plus[c]);
      // ln Σ P exp(Δ) less the mean of Δ: at least 0.
      const double bend = log_add(falls - step, rises + step) + step * mean * x;
      effects.linear[token.token * width + c] =
          static_cast<float>(-step * x * (gain[c] - view.total * mean));
      effects.curved[token.token * width + c] =
          static_cast<float>((view.divergence - view.total) * bend);
    }
  }
  return effects;
}

LayerSums layer_sums(const model::BinaryTransformer& transformer, std::size_t layer,
                     const model::BinaryActivations& bits) {
  const auto sums_of = [&](const PackedLinear& linear, const std::vector<std::uint64_t>& in) {
    const std::size_t tokens = in.size() / linear.in_words();
    ProductSums sums(tokens * linear.rows);
    model::parallel_for(transformer.options().threads, tokens, [&](IndexRange range) {
      transformer.table().xnor_gemm(
          linear.panels.data(), linear.rows, in.data() + range.begin * linear.in_words(),
          range.size(), linear.cols, sums.data() + range.begin * linear.rows, linear.rows);
    });
    return sums;
  };
  const model::PackedLayer& weights = transformer.layer(layer);
  return {sums_of(weights.q, bits.state),    sums_of(weights.k, bits.state),
          sums_of(weights.v, bits.state),    sums_of(weights.o, bits.attended),
          sums_of(weights.gate, bits.state), sums_of(weights.up, bits.state),
          sums_of(weights.down, bits.hidden)};
}

LayerEffects layer_effects(const model::BinaryTransformer& transformer, std::size_t layer,
                           const BinaryTrace& trace, const LayerSums& sums,
                           const BitEffects& above) {
  const model::BinaryShape& shape = transformer.model().shape;
  const model::BinaryLayer& weights = transformer.model().layers[layer];
  const model::BinaryActivations& bits = trace.layers[layer];
  const int threads = transformer.options().threads;
  LayerEffects effects;
  for (BitEffects* wide : {&effects.q, &effects.k, &effects.v, &effects.o, &effects.down,
                           &effects.attended, &effects.state})
    wide->reset(trace.num_tokens() * shape.width);
  effects.hidden.reset(trace.num_tokens() * shape.feed_forward);
  const auto go_back = [&](const model::BinaryLinear& linear, const ProductSums& of_linear,
                           const std::vector<std::uint64_t>& in, const BitEffects& outputs,
                           BitEffects& inputs) {
    ProductEffects(linear.weights, linear.thresholds, of_linear, in).add(threads, outputs, inputs);
  };
  add_majority(above, bits, shape.width, effects);
  go_back(weights.down, sums.down, bits.hidden, effects.down, effects.hidden);
  go_back(weights.o, sums.o, bits.attended, effects.o, effects.attended);
  add_pointer_effects(transformer, layer, trace, effects);
  go_back(weights.gate, sums.gate, bits.state, effects.hidden, effects.state);
  go_back(weights.up, sums.up, bits.state, effects.hidden, effects.state);
  go_back(weights.v, sums.v, bits.state, effects.v, effects.state);
  go_back(weights.q, sums.q, bits.state, effects.q, effects.state);
  go_back(weights.k, sums.k, bits.state, effects.k, effects.state);
  for (float& effect : effects.state.linear) effect *= kLinearDamping;
  return effects;
}

}  // namespace bankai::bfs
