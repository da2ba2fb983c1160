#include "model/golf_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

using kernels::kKeyBlock;

// Two doubles in one register. Loops over doubles leave the compiler too much choice: its own
// vectors of them are full of shuffles.
using Pair = double __attribute__((vector_size(16)));

constexpr std::size_t kTogether = kKeyBlock;  // sums that stay in registers

// sums (kTogether) = Σ_i factors_i · rows (i, 0 … kTogether − 1), i ascending, rows `stride` apart.
void sum_products(const double* factors, const double* rows, std::size_t stride, std::size_t count,
                  double* sums) {
  Pair totals[kTogether / 2] = {};
  for (std::size_t i = 0; i < count; ++i) {
    const Pair factor = {factors[i], factors[i]};
    for (std::size_t pair = 0; pair < kTogether / 2; ++pair) {
      Pair row;
      std::memcpy(&row, rows + i * stride + 2 * pair, sizeof row);
      totals[pair] += factor * row;
    }
  }
  std::memcpy(sums, totals, sizeof totals);
}

// One head of a GolfPast: keys (blocks, width, kKeyBlock) and values (positions, width) from its
// first column on.
struct HeadPast {
  const double* keys;
  const double* values;
  std::size_t width;
};

// y (head_dim) += values, weighted by the softmax of the products of their keys with q, which
// `weights` (positions, rounded up to a block) becomes.
void attend_head(const double* q, const HeadPast& head, std::size_t seen, std::size_t head_dim,
                 double* weights, double* y) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  for (std::size_t block = 0; block * kKeyBlock < seen; ++block) {
    const double* k = head.keys + block * head.width * kKeyBlock;
    sum_products(q, k, kKeyBlock, head_dim, weights + block * kKeyBlock);
  }
  const double largest = *std::max_element(weights, weights + seen);
  double sum = 0.0;
  for (std::size_t j = 0; j < seen; ++j) {
    weights[j] = kernels::exp_f64((weights[j] - largest) * scale);
    sum += weights[j];
  }
  for (std::size_t j = 0; j < seen; ++j) weights[j] /= sum;
  std::size_t d = 0;
  for (; d + kTogether <= head_dim; d += kTogether)
    sum_products(weights, head.values + d, head.width, seen, y + d);
  for (; d < head_dim; ++d)
    for (std::size_t j = 0; j < seen; ++j) y[d] += weights[j] * head.values[j * head.width + d];
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

void append_golf_rows(const GolfParameters& p, const std::vector<double>& key,
                      const std::vector<double>& value, GolfPast& past) {
  const std::size_t width = p.kv_heads * p.head_dim;
  const std::size_t before = past.values.size() / width;
  past.values.insert(past.values.end(), value.begin(), value.end());
  past.keys.resize(round_up_to_key_block(past.values.size() / width) * width);
  for (std::size_t row = 0; row < key.size() / width; ++row) {
    const std::size_t position = before + row;
    double* block = past.keys.data() + position / kKeyBlock * width * kKeyBlock;
    for (std::size_t i = 0; i < width; ++i)
      block[i * kKeyBlock + position % kKeyBlock] = key[row * width + i];
  }
}

void attend_golf(const GolfParameters& p, int threads, const std::vector<double>& query,
                 const GolfPast& past, std::size_t rows, std::vector<double>& out) {
  const std::size_t width = p.kv_heads * p.head_dim;
  const std::size_t positions = past.values.size() / width;
  out.assign(rows * p.embedding, 0.0);
  parallel_for(threads, rows * p.heads, [&](IndexRange range) {
    std::vector<double> weights(round_up_to_key_block(positions));
    for (std::size_t item = range.begin; item < range.end; ++item) {
      // Early and late positions in turn: each thread gets as much work as another.
      const std::size_t turn = item / p.heads;
      const std::size_t row = turn % 2 == 0 ? turn / 2 : rows - 1 - turn / 2;
      const std::size_t head = item % p.heads;
      const std::size_t first = head / (p.heads / p.kv_heads) * p.head_dim;  // of the keys
      const HeadPast keys{past.keys.data() + first * kKeyBlock, past.values.data() + first, width};
      const std::size_t place = (row * p.heads + head) * p.head_dim;
      attend_head(query.data() + place, keys, positions - rows + row + 1, p.head_dim,
                  weights.data(), out.data() + place);
    }
  });
}

}  // namespace bankai::model
