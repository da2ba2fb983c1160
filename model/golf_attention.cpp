#include "model/golf_attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

// The ratio of RoPE's frequencies to plain ones, by YaRN's ramp as these models use it.
double frequency_divisor(std::size_t pair, std::size_t head_dim, double factor) {
  const double position = 2.0 * static_cast<double>(pair) / static_cast<double>(head_dim);
  const double ramp = std::clamp((position - 0.25) / 0.75, 0.0, 1.0);
  return 1.0 + ramp * (factor - 1.0);
}

// y (head_dim) += values (seen, stride), weighted by the softmax of the products with q, which
// `weights` (seen) becomes. keys (head_dim, positions) have the positions innermost, so that the
// loop over them has no dependence.
struct HeadKeys {
  const double* keys;
  std::size_t positions;
  const double* values;
  std::size_t stride;
};
void attend_head(const double* q, const HeadKeys& head, std::size_t seen, std::size_t head_dim,
                 double* weights, double* y) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  std::fill_n(weights, seen, 0.0);
  for (std::size_t d = 0; d < head_dim; ++d) {
    const double* k = head.keys + d * head.positions;
    for (std::size_t j = 0; j < seen; ++j) weights[j] += q[d] * k[j];
  }
  const double largest = *std::max_element(weights, weights + seen);
  double sum = 0.0;
  for (std::size_t j = 0; j < seen; ++j) {
    weights[j] = kernels::exp_f64((weights[j] - largest) * scale);
    sum += weights[j];
  }
  for (std::size_t j = 0; j < seen; ++j) {
    const double* v = head.values + j * head.stride;
    const double weight = weights[j] / sum;
    for (std::size_t d = 0; d < head_dim; ++d) y[d] += weight * v[d];
  }
}

}  // namespace

std::vector<double> golf_frequencies(const GolfParameters& p) {
  std::vector<double> frequencies;
  for (std::size_t i = 0; i < p.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(p.head_dim);
    frequencies.push_back(kernels::pow_f64(p.rope_base, exponent) /
                          frequency_divisor(i, p.head_dim, p.yarn_factor));
  }
  return frequencies;
}

void golf_normalize(double* x, std::size_t n, double eps) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const double factor = 1.0 / std::sqrt(sum / static_cast<double>(n) + eps);
  for (std::size_t i = 0; i < n; ++i) x[i] *= factor;
}

void rotate_golf_heads(const GolfParameters& p, const std::vector<double>& frequencies, int threads,
                       std::size_t first_position, std::size_t rows, std::size_t num_heads,
                       const std::vector<float>* gain, double* heads) {
  const std::size_t half = p.head_dim / 2;
  parallel_for(threads, rows, [&](IndexRange range) {
    std::vector<double> sin(half);
    std::vector<double> cos(half);
    for (std::size_t row = range.begin; row < range.end; ++row) {
      const auto position = static_cast<double>(first_position + row);
      for (std::size_t i = 0; i < half; ++i)
        kernels::sin_cos_f64(position * frequencies[i], &sin[i], &cos[i]);
      for (std::size_t h = 0; h < num_heads; ++h) {
        double* x = heads + (row * num_heads + h) * p.head_dim;
        golf_normalize(x, p.head_dim, p.eps);
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

void attend_golf(const GolfParameters& p, int threads, const std::vector<double>& query,
                 const GolfPast& past, std::size_t rows, std::vector<double>& out) {
  const std::size_t width = p.kv_heads * p.head_dim;
  const std::size_t positions = past.keys.size() / width;
  std::vector<double> transposed(width * positions);
  for (std::size_t j = 0; j < positions; ++j)
    for (std::size_t i = 0; i < width; ++i)
      transposed[i * positions + j] = past.keys[j * width + i];
  out.assign(rows * p.embedding, 0.0);
  parallel_for(threads, rows * p.heads, [&](IndexRange range) {
    std::vector<double> weights(positions);
    for (std::size_t item = range.begin; item < range.end; ++item) {
      // Early and late positions in turn: each thread gets as much work as another.
      const std::size_t turn = item / p.heads;
      const std::size_t row = turn % 2 == 0 ? turn / 2 : rows - 1 - turn / 2;
      const std::size_t head = item % p.heads;
      const std::size_t first = head / (p.heads / p.kv_heads) * p.head_dim;  // of the keys
      const HeadKeys keys{transposed.data() + first * positions, positions,
                          past.values.data() + first, width};
      const std::size_t place = (row * p.heads + head) * p.head_dim;
      attend_head(query.data() + place, keys, positions - rows + row + 1, p.head_dim,
                  weights.data(), out.data() + place);
    }
  });
}

}  // namespace bankai::model
