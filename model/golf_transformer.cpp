#include "model/golf_transformer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kPart = 256;       // rows of logits at a time
constexpr std::size_t kTileTokens = 24;  // tokens that share a panel of weights while it is cached

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

}  // namespace

GolfTransformer::GolfTransformer(const GolfModel& model, const kernels::KernelTable& table,
                                 int threads, GolfKvFormat kv)
    : model_(model),
      table_(table),
      threads_(threads),
      kv_(kv),
      frequencies_(golf_frequencies(model.parameters)) {}

// out (rows, matrix.rows()) = in (rows, matrix.cols()) times the matrix.
void GolfTransformer::multiply(const GolfMatrix& matrix, const Rows& in, std::size_t rows,
                               bool quantize, Rows& out) const {
  std::vector<float> inputs(in.size());
  std::vector<double> factors(rows);
  parallel_for(threads_, rows, [&](IndexRange range) {
    for (std::size_t row = range.begin; row < range.end; ++row) {
      const std::size_t offset = row * matrix.cols();
      factors[row] = to_floats(in.data() + offset, matrix.cols(), quantize, inputs.data() + offset);
    }
  });
  out.resize(rows * matrix.rows());
  const std::size_t tiles = (rows + kTileTokens - 1) / kTileTokens;
  parallel_for(threads_, tiles * matrix.panels(), [&](IndexRange range) {
    std::vector<float> sums;
    for (std::size_t item = range.begin; item < range.end; ++item) {
      const std::size_t begin = item % tiles * kTileTokens;
      matrix.multiply(table_, item / tiles, inputs.data() + begin * matrix.cols(),
                      factors.data() + begin, std::min(kTileTokens, rows - begin), sums,
                      out.data() + begin * matrix.rows());
    }
  });
}

// x += tanh(gate) · (mean of the rows so far − x), per channel.
void GolfTransformer::smear(const GolfBlock& block, std::size_t first_position, std::size_t rows,
                            GolfPast& past, Rows& x) const {
  const std::size_t width = model_.parameters.embedding;
  past.smear_sums.resize(width);
  parallel_for(threads_, width, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const double gate = tanh_of(static_cast<double>(block.smear_gate[i]));
      double& sum = past.smear_sums[i];
      for (std::size_t row = 0; row < rows; ++row) {
        double& cell = x[row * width + i];
        sum += cell;
        cell += gate * (sum / static_cast<double>(first_position + row + 1) - cell);
      }
    }
  });
}

void GolfTransformer::normalize_rows(std::size_t rows, std::size_t width, Rows& values) const {
  parallel_for(threads_, rows, [&](IndexRange range) {
    for (std::size_t row = range.begin; row < range.end; ++row)
      golf_normalize(values.data() + row * width, width, model_.parameters.eps);
  });
}

// x += scale · change, with a scale for each channel.
void GolfTransformer::add(const Rows& change, const std::vector<float>& scale, Rows& x) const {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] += static_cast<double>(scale[i % scale.size()]) * change[i];
}

// x += attention of the block; the keys and values of the rows join `past`.
void GolfTransformer::run_attention(const GolfBlock& block, std::size_t first_position,
                                    std::size_t rows, GolfPast& past, Rows& x) const {
  const GolfParameters& p = model_.parameters;
  const bool quantize = p.quantizes_activations;
  Rows normed = x;
  normalize_rows(rows, p.embedding, normed);
  Rows query;
  Rows key;
  Rows value;
  multiply(block.query, normed, rows, quantize, query);
  multiply(block.key, normed, rows, quantize, key);
  multiply(block.value, normed, rows, quantize, value);
  rotate_golf_heads(p, frequencies_, threads_, first_position, rows, p.heads, &block.query_gain,
                    query.data());
  rotate_golf_heads(p, frequencies_, threads_, first_position, rows, p.kv_heads, nullptr,
                    key.data());
  Rows attended;
  if (kv_) {
    if (!past.kept) past.kept.emplace(*kv_, p.kv_heads, p.head_dim);
    keep_golf_rows(p, table_, threads_, key, value, first_position, *past.kept);
    attend_golf_rows(p, table_, threads_, query, *past.kept, first_position, attended);
  } else {
    append_golf_rows(p, key, value, past);
    attend_golf(p, threads_, query, past, rows, attended);
  }
  if (p.normalizes_projection_inputs) normalize_rows(rows, p.embedding, attended);
  Rows change;
  multiply(block.projection, attended, rows, quantize, change);
  add(change, block.attention_scale, x);
}

void GolfTransformer::run_mlp(const GolfBlock& block, std::size_t rows, Rows& x) const {
  const GolfParameters& p = model_.parameters;
  const bool quantize = p.quantizes_activations;
  Rows normed = x;
  normalize_rows(rows, p.embedding, normed);
  Rows hidden;
  multiply(block.up, normed, rows, quantize, hidden);
  for (double& cell : hidden) {
    const double leaky = cell > 0.0 ? cell : p.leak * cell;
    cell = leaky * leaky;
  }
  if (p.normalizes_projection_inputs) normalize_rows(rows, p.hidden, hidden);
  Rows change;
  multiply(block.down, hidden, rows, quantize, change);
  add(change, block.mlp_scale, x);
}

void GolfTransformer::run_block(const GolfBlock& block, const Rows& start,
                                std::size_t first_position, std::size_t rows, GolfPast& past,
                                Rows& x) const {
  const std::size_t width = model_.parameters.embedding;
  const float* mix = block.residual_mix.data();
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < width; ++i) {
      double& cell = x[row * width + i];
      cell = static_cast<double>(mix[i]) * cell +
             static_cast<double>(mix[width + i]) * start[row * width + i];
    }
  run_attention(block, first_position, rows, past, x);
  run_mlp(block, rows, x);
  if (!block.smear_gate.empty()) smear(block, first_position, rows, past, x);
}

// The first residual stream of the tokens.
GolfTransformer::Rows GolfTransformer::embed(std::span<const TokenId> tokens) const {
  const GolfParameters& p = model_.parameters;
  const std::size_t rows = tokens.size();
  Rows x(rows * p.token_embedding);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto id = static_cast<std::size_t>(tokens[row]);
    BANKAI_CHECK(id < p.vocabulary, "a token outside the vocabulary");
    for (std::size_t i = 0; i < p.token_embedding; ++i)
      x[row * p.token_embedding + i] =
          static_cast<double>(static_cast<float>(model_.tokens.value(id, i)));
  }
  if (!model_.expand.empty()) {
    Rows expanded;
    multiply(model_.expand, x, rows, false, expanded);
    x = std::move(expanded);
  }
  normalize_rows(rows, p.embedding, x);
  return x;
}

// The residual stream after all passes, normalised. `cache` holds the positions before, and
// receives those of the tokens; nullptr: there are none before, and none is kept.
GolfTransformer::Rows GolfTransformer::run_passes(std::span<const TokenId> tokens,
                                                  GolfCache* cache) const {
  const GolfParameters& p = model_.parameters;
  const std::size_t rows = tokens.size();
  const std::size_t width = p.embedding;
  const std::size_t first_position = cache == nullptr ? 0 : cache->positions;
  if (cache != nullptr) cache->passes.resize(p.passes);
  Rows x = embed(tokens);
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
    GolfPast forgotten;
    run_block(model_.blocks[pass % p.blocks], start, first_position, rows,
              cache == nullptr ? forgotten : cache->passes[pass], x);
    if (is_encoder) skipped.push_back(x);
  }
  if (cache != nullptr) cache->positions += rows;
  normalize_rows(rows, width, x);
  return x;
}

Status GolfTransformer::visit_logits(std::span<const TokenId> tokens, std::size_t first,
                                     GolfCache* cache, const RowVisitor& visit,
                                     const PartVisitor& finish_part) const {
  const GolfParameters& p = model_.parameters;
  BANKAI_CHECK(first < tokens.size(), "no row of logits is wanted");
  Rows x = run_passes(tokens, cache);
  const std::size_t rows = tokens.size() - first;
  x.erase(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(first * p.embedding));
  if (!model_.shrink.empty()) {
    Rows shrunk;
    multiply(model_.shrink, x, rows, false, shrunk);
    x = std::move(shrunk);
  }
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
    if (finish_part) BANKAI_RETURN_IF_ERROR(finish_part(begin, count));
  }
  return {};
}

Status GolfTransformer::stream_logits(
    std::span<const TokenId> tokens,
    const std::function<Status(std::span<const float> rows)>& write) const {
  const std::size_t vocabulary = model_.parameters.vocabulary;
  std::vector<float> part(std::min(kPart, tokens.size()) * vocabulary);
  return visit_logits(
      tokens, 0, nullptr,
      [&](std::size_t row, std::span<const double> values) {
        for (std::size_t i = 0; i < vocabulary; ++i)
          part[row % kPart * vocabulary + i] = static_cast<float>(values[i]);
      },
      [&](std::size_t, std::size_t count) {
        return write(std::span(part).first(count * vocabulary));
      });
}

GolfCache GolfTransformer::zero_cache(std::size_t positions) const {
  const GolfParameters& p = model_.parameters;
  const std::size_t width = p.kv_heads * p.head_dim;
  GolfCache cache{std::vector<GolfPast>(p.passes), positions};
  for (GolfPast& past : cache.passes) {
    if (kv_) {
      past.kept.emplace(*kv_, p.kv_heads, p.head_dim);
      past.kept->resize(positions);
    } else {
      past.keys.resize(round_up_to_key_block(positions) * width);
      past.values.resize(positions * width);
    }
  }
  return cache;
}

std::vector<float> GolfTransformer::advance(std::span<const TokenId> tokens,
                                            GolfCache& cache) const {
  std::vector<float> out(model_.parameters.vocabulary);
  const Status done = visit_logits(tokens, tokens.size() - 1, &cache,
                                   [&](std::size_t, std::span<const double> values) {
                                     for (std::size_t i = 0; i < out.size(); ++i)
                                       out[i] = static_cast<float>(values[i]);
                                   },
                                   {});
  BANKAI_CHECK(done.ok(), "nothing can fail without a part visitor");
  return out;
}

void GolfTransformer::log_probabilities(std::span<const TokenId> tokens, std::size_t first,
                                        std::span<const TokenId> targets,
                                        std::span<double> out) const {
  BANKAI_CHECK(targets.size() == tokens.size() - first && out.size() == targets.size(),
               "a target for each row");
  const Status done = visit_logits(
      tokens, first, nullptr,
      [&](std::size_t row, std::span<const double> values) {
        const double largest = *std::max_element(values.begin(), values.end());
        double sum = 0.0;
        for (const double value : values) sum += kernels::exp_f64(value - largest);
        out[row] = values[static_cast<std::size_t>(targets[row])] - largest - kernels::log_f64(sum);
      },
      {});
  BANKAI_CHECK(done.ok(), "nothing can fail without a part visitor");
}

}  // namespace bankai::model
