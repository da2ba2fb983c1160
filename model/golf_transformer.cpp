#include "model/golf_transformer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kTileTokens = 16;  // tokens that share a row of weights while it is cached

// x / sqrt(mean of squares + eps), summed in ascending order.
void normalize(double* x, std::size_t n, double eps) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const double factor = 1.0 / std::sqrt(sum / static_cast<double>(n) + eps);
  for (std::size_t i = 0; i < n; ++i) x[i] *= factor;
}

double tanh_of(double x) {
  const double e = kernels::exp_f64(-2.0 * std::fabs(x));
  return std::copysign((1.0 - e) / (1.0 + e), x);
}

double soft_cap(double logit, const GolfParameters& parameters) {
  const double limit = parameters.soft_cap_limit;
  switch (parameters.soft_cap) {
    case GolfSoftCap::kTanh: return limit * tanh_of(logit / limit);
    case GolfSoftCap::kPolynomial: {
      const double u = std::clamp(logit / limit, -2.0, 2.0);
      const double square = u * u;
      return limit * std::clamp(u * (1.0 - square / 3.0 + square * square / 15.0), -1.0, 1.0);
    }
    default: return logit;
  }
}

// A token's row as floats for the product, and the factor of the product's result. Quantised:
// factor = max(max |x|, 1e-8) / 127, values round(clamp(x / factor, −128, 127)), half to even.
double to_floats(const double* x, std::size_t n, bool quantize, float* out) {
  if (!quantize) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(x[i]);
    return 1.0;
  }
  double largest = 1e-8;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  const double factor = largest / 127.0;
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(std::nearbyint(std::clamp(x[i] / factor, -128.0, 127.0)));
  return factor;
}

// The ratio of RoPE's frequencies to plain ones, by YaRN's ramp as these models use it.
double frequency_divisor(std::size_t pair, std::size_t head_dim, double factor) {
  const double position = 2.0 * static_cast<double>(pair) / static_cast<double>(head_dim);
  const double ramp = std::clamp((position - 0.25) / 0.75, 0.0, 1.0);
  return 1.0 + ramp * (factor - 1.0);
}

}  // namespace

GolfTransformer::GolfTransformer(const GolfModel& model, const kernels::KernelTable& table,
                                 int threads)
    : model_(model), table_(table), threads_(threads) {
  const GolfParameters& p = model.parameters;
  for (std::size_t i = 0; i < p.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(p.head_dim);
    frequencies_.push_back(kernels::pow_f64(p.rope_base, exponent) /
                           frequency_divisor(i, p.head_dim, p.yarn_factor));
  }
}

// out (rows, matrix.rows) = in (rows, matrix.cols) times the matrix.
void GolfTransformer::multiply(const GolfMatrix& matrix, const Rows& in, std::size_t rows,
                               bool quantize, Rows& out) const {
  out.resize(rows * matrix.rows);
  parallel_for(threads_, rows, [&](IndexRange range) {
    std::vector<float> tile(kTileTokens * matrix.cols);
    std::vector<double> factors(kTileTokens);
    for (std::size_t begin = range.begin; begin < range.end; begin += kTileTokens) {
      const std::size_t count = std::min(kTileTokens, range.end - begin);
      for (std::size_t t = 0; t < count; ++t)
        factors[t] = matrix.scale * to_floats(in.data() + (begin + t) * matrix.cols, matrix.cols,
                                              quantize, tile.data() + t * matrix.cols);
      for (std::size_t r = 0; r < matrix.rows; ++r) {
        const float* weights = matrix.weights.data() + r * matrix.cols;
        for (std::size_t t = 0; t < count; ++t) {
          const float sum = table_.dot_f32(weights, tile.data() + t * matrix.cols, matrix.cols);
          out[(begin + t) * matrix.rows + r] = factors[t] * static_cast<double>(sum);
        }
      }
    }
  });
}

// Norm per head, then RoPE with its sign reversed (y1 = x1 cos + x2 sin, y2 = x2 cos − x1 sin),
// then the gain of the head. In place in heads (rows, num_heads, head_dim).
void GolfTransformer::rotate(Rows& heads, std::size_t rows, std::size_t num_heads,
                             const std::vector<float>* gain) const {
  const std::size_t head_dim = model_.parameters.head_dim;
  const std::size_t half = head_dim / 2;
  parallel_for(threads_, rows, [&](IndexRange range) {
    std::vector<double> sin(half);
    std::vector<double> cos(half);
    for (std::size_t row = range.begin; row < range.end; ++row) {
      for (std::size_t i = 0; i < half; ++i)
        kernels::sin_cos_f64(static_cast<double>(row) * frequencies_[i], &sin[i], &cos[i]);
      for (std::size_t h = 0; h < num_heads; ++h) {
        double* x = heads.data() + (row * num_heads + h) * head_dim;
        normalize(x, head_dim, model_.parameters.eps);
        const double factor = gain == nullptr ? 1.0 : static_cast<double>((*gain)[h]);
        for (std::size_t i = 0; i < half; ++i) {
          const double first = x[i];
          const double second = x[i + half];
          x[i] = (first * cos[i] + second * sin[i]) * factor;
          x[i + half] = (second * cos[i] - first * sin[i]) * factor;
        }
      }
    }
  });
}

// Causal attention; query and out (rows, heads, head_dim), key and value (rows, kv_heads,
// head_dim).
void GolfTransformer::attend(const Rows& query, const Rows& key, const Rows& value,
                             std::size_t rows, Rows& out) const {
  const GolfParameters& p = model_.parameters;
  const std::size_t kv_width = p.kv_heads * p.head_dim;
  const double scale = 1.0 / std::sqrt(static_cast<double>(p.head_dim));
  // Keys with the positions innermost, so that the loop over them has no dependence.
  Rows transposed(kv_width * rows);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < kv_width; ++i) transposed[i * rows + row] = key[row * kv_width + i];
  out.assign(rows * p.embedding, 0.0);
  parallel_for(threads_, rows, [&](IndexRange range) {
    std::vector<double> weights(rows);
    for (std::size_t item = range.begin; item < range.end; ++item) {
      // Early and late positions in turn: each thread gets as much work as another.
      const std::size_t row = item % 2 == 0 ? item / 2 : rows - 1 - item / 2;
      const std::size_t seen = row + 1;
      for (std::size_t h = 0; h < p.heads; ++h) {
        const std::size_t kv = h / (p.heads / p.kv_heads) * p.head_dim;
        const double* q = query.data() + (row * p.heads + h) * p.head_dim;
        std::fill_n(weights.begin(), seen, 0.0);
        for (std::size_t d = 0; d < p.head_dim; ++d) {
          const double* k = transposed.data() + (kv + d) * rows;
          for (std::size_t j = 0; j < seen; ++j) weights[j] += q[d] * k[j];
        }
        const double largest =
            *std::max_element(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(seen));
        double sum = 0.0;
        for (std::size_t j = 0; j < seen; ++j) {
          weights[j] = kernels::exp_f64((weights[j] - largest) * scale);
          sum += weights[j];
        }
        double* y = out.data() + (row * p.heads + h) * p.head_dim;
        for (std::size_t j = 0; j < seen; ++j) {
          const double* v = value.data() + j * kv_width + kv;
          const double weight = weights[j] / sum;
          for (std::size_t d = 0; d < p.head_dim; ++d) y[d] += weight * v[d];
        }
      }
    }
  });
}

// x += tanh(gate) · (mean of the rows so far − x), per channel.
void GolfTransformer::smear(const GolfBlock& block, std::size_t rows, Rows& x) const {
  const std::size_t width = model_.parameters.embedding;
  parallel_for(threads_, width, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const double gate = tanh_of(static_cast<double>(block.smear_gate[i]));
      double sum = 0.0;
      for (std::size_t row = 0; row < rows; ++row) {
        double& cell = x[row * width + i];
        sum += cell;
        cell += gate * (sum / static_cast<double>(row + 1) - cell);
      }
    }
  });
}

void GolfTransformer::run_block(const GolfBlock& block, const Rows& start, std::size_t rows,
                                Rows& x) {
  const GolfParameters& p = model_.parameters;
  const std::size_t width = p.embedding;
  const bool quantize = p.quantizes_activations;
  Rows normed(rows * width);
  const auto normalize_rows = [&](Rows& values, std::size_t columns) {
    parallel_for(threads_, rows, [&](IndexRange range) {
      for (std::size_t row = range.begin; row < range.end; ++row)
        normalize(values.data() + row * columns, columns, p.eps);
    });
  };
  const auto add = [&](const Rows& change, const std::vector<float>& scale) {
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t i = 0; i < width; ++i)
        x[row * width + i] += static_cast<double>(scale[i]) * change[row * width + i];
  };

  const float* mix = block.residual_mix.data();
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < width; ++i) {
      double& cell = x[row * width + i];
      cell = static_cast<double>(mix[i]) * cell +
             static_cast<double>(mix[width + i]) * start[row * width + i];
    }

  normed = x;
  normalize_rows(normed, width);
  Rows query;
  Rows key;
  Rows value;
  Rows attended;
  Rows change;
  multiply(block.query, normed, rows, quantize, query);
  multiply(block.key, normed, rows, quantize, key);
  multiply(block.value, normed, rows, quantize, value);
  rotate(query, rows, p.heads, &block.query_gain);
  rotate(key, rows, p.kv_heads, nullptr);
  attend(query, key, value, rows, attended);
  if (p.normalizes_projection_inputs) normalize_rows(attended, width);
  multiply(block.projection, attended, rows, quantize, change);
  add(change, block.attention_scale);

  normed = x;
  normalize_rows(normed, width);
  Rows hidden;
  multiply(block.up, normed, rows, quantize, hidden);
  for (double& cell : hidden) {
    const double leaky = cell > 0.0 ? cell : p.leak * cell;
    cell = leaky * leaky;
  }
  if (p.normalizes_projection_inputs) normalize_rows(hidden, p.hidden);
  multiply(block.down, hidden, rows, quantize, change);
  add(change, block.mlp_scale);
  if (!block.smear_gate.empty()) smear(block, rows, x);
}

// The residual stream after all passes, normalised.
GolfTransformer::Rows GolfTransformer::run_passes(std::span<const TokenId> tokens) {
  const GolfParameters& p = model_.parameters;
  const std::size_t rows = tokens.size();
  const std::size_t width = p.embedding;
  Rows x(rows * p.token_embedding);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto id = static_cast<std::size_t>(tokens[row]);
    BANKAI_CHECK(id < p.vocabulary, "a token outside the vocabulary");
    for (std::size_t i = 0; i < p.token_embedding; ++i)
      x[row * p.token_embedding + i] =
          static_cast<double>(model_.tokens.weights[id * p.token_embedding + i]);
  }
  if (!model_.expand.weights.empty()) {
    Rows expanded;
    multiply(model_.expand, x, rows, false, expanded);
    x = std::move(expanded);
  }
  for (std::size_t row = 0; row < rows; ++row) normalize(x.data() + row * width, width, p.eps);
  const Rows start = x;
  std::vector<Rows> skipped;
  for (std::size_t pass = 0; pass < p.passes; ++pass) {
    const bool is_encoder = pass < p.encoder_passes();
    if (!is_encoder && !skipped.empty()) {  // last in, first out
      const float* weights = model_.skip_weights.data() + (pass - p.encoder_passes()) * width;
      const Rows& skip = skipped.back();
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < width; ++i)
          x[row * width + i] += static_cast<double>(weights[i]) * skip[row * width + i];
      skipped.pop_back();
    }
    run_block(model_.blocks[pass % p.blocks], start, rows, x);
    if (is_encoder) skipped.push_back(x);
  }
  for (std::size_t row = 0; row < rows; ++row) normalize(x.data() + row * width, width, p.eps);
  return x;
}

void GolfTransformer::visit_logits(std::span<const TokenId> tokens, std::size_t first,
                                   const RowVisitor& visit) {
  const GolfParameters& p = model_.parameters;
  BANKAI_CHECK(first < tokens.size(), "no row of logits is wanted");
  Rows x = run_passes(tokens);
  const std::size_t rows = tokens.size() - first;
  x.erase(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(first * p.embedding));
  if (!model_.shrink.weights.empty()) {
    Rows shrunk;
    multiply(model_.shrink, x, rows, false, shrunk);
    x = std::move(shrunk);
  }
  // A part of the rows at a time: the logits of a large vocabulary are many.
  constexpr std::size_t kPart = 256;
  Rows logits;
  for (std::size_t begin = 0; begin < rows; begin += kPart) {
    const std::size_t count = std::min(kPart, rows - begin);
    const auto row_at = [&](std::size_t row) {
      return x.begin() + static_cast<std::ptrdiff_t>(row * p.token_embedding);
    };
    multiply(model_.tokens, Rows(row_at(begin), row_at(begin + count)), count, false, logits);
    parallel_for(threads_, count, [&](IndexRange range) {
      for (std::size_t row = range.begin; row < range.end; ++row) {
        const std::span<double> values(logits.data() + row * p.vocabulary, p.vocabulary);
        for (std::size_t i = 0; i < p.vocabulary; ++i) {
          const double bias =
              model_.output_bias.empty() ? 0.0 : static_cast<double>(model_.output_bias[i]);
          values[i] = soft_cap(values[i] + bias, p);
        }
        visit(begin + row, values);
      }
    });
  }
}

std::vector<float> GolfTransformer::logits(std::span<const TokenId> tokens, std::size_t first) {
  const std::size_t vocabulary = model_.parameters.vocabulary;
  std::vector<float> out((tokens.size() - first) * vocabulary);
  visit_logits(tokens, first, [&](std::size_t row, std::span<const double> values) {
    for (std::size_t i = 0; i < vocabulary; ++i)
      out[row * vocabulary + i] = static_cast<float>(values[i]);
  });
  return out;
}

void GolfTransformer::log_probabilities(std::span<const TokenId> tokens, std::size_t first,
                                        std::span<const TokenId> targets, std::span<double> out) {
  BANKAI_CHECK(targets.size() == tokens.size() - first && out.size() == targets.size(),
               "a target for each row");
  visit_logits(tokens, first, [&](std::size_t row, std::span<const double> values) {
    const double largest = *std::max_element(values.begin(), values.end());
    double sum = 0.0;
    for (const double value : values) sum += kernels::exp_f64(value - largest);
    out[row] = values[static_cast<std::size_t>(targets[row])] - largest - kernels::log_f64(sum);
  });
}

}  // namespace bankai::model
