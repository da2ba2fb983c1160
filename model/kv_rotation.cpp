#include "model/kv_rotation.h"

#include <algorithm>
#include <cmath>

#include "core/counter_rng.h"
#include "model/kv_quantiser.h"

namespace bankai::model {
namespace {

std::size_t rotated_block(std::size_t n) { return n & (~n + 1); }

// Element i of a block is negated: bit i of a fixed random word sequence.
bool is_negated(std::size_t i) {
  static const CounterRng rng(0x6b76);
  return (rng.bits(i) & 1U) != 0;
}

void negate_some(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (is_negated(i)) x[i] = -x[i];
}

void hadamard(float* x, std::size_t block) {
  for (std::size_t width = 1; width < block; width *= 2)
    for (std::size_t first = 0; first < block; first += 2 * width)
      for (std::size_t i = first; i < first + width; ++i) {
        const float a = x[i];
        const float b = x[i + width];
        x[i] = a + b;
        x[i + width] = a - b;
      }
  const float factor = 1.0F / std::sqrt(static_cast<float>(block));
  for (std::size_t i = 0; i < block; ++i) x[i] *= factor;
}

// The power of two nearest by ratio to the fourth root.
double balancing_factor(double ratio_of_squares) {
  double factor = 1.0;
  const auto fourth = [&] { return factor * factor * factor * factor; };
  if (!(ratio_of_squares > 0.0) || !std::isfinite(ratio_of_squares)) return factor;
  while (ratio_of_squares > 4.0 * fourth()) factor *= 2.0;
  while (4.0 * ratio_of_squares < fourth()) factor *= 0.5;
  return factor;
}

}  // namespace

void rotate_vector(float* x, std::size_t n) {
  const std::size_t block = rotated_block(n);
  for (std::size_t first = 0; first < n; first += block) {
    negate_some(x + first, block);
    hadamard(x + first, block);
  }
}

void rotate_back(float* x, std::size_t n) {
  const std::size_t block = rotated_block(n);
  for (std::size_t first = 0; first < n; first += block) {
    hadamard(x + first, block);
    negate_some(x + first, block);
  }
}

void rotate_query(const KvFormat& format, float* x, std::size_t n) {
  rotate_vector(x, n);
  std::fill_n(x, kv_scale_codes(format, n), 0.0F);
}

void rotate_sum_back(const KvFormat& format, float* x, std::size_t n) {
  std::fill_n(x, kv_scale_codes(format, n), 0.0F);
  rotate_back(x, n);
}

QueryKeyNorms balance_norms(const std::vector<float>& query_norm,
                            const std::vector<float>& key_norm, const RopeParameters& rope) {
  QueryKeyNorms norms{query_norm, key_norm};
  const std::size_t half = rope.dimensions / 2;
  const auto balance = [&](std::size_t i, std::size_t j) {
    const auto square = [&](const std::vector<float>& norm) {
      const auto a = static_cast<double>(norm[i]);
      const auto b = static_cast<double>(norm[j]);
      return a * a + b * b;
    };
    const double factor = balancing_factor(square(query_norm) / square(key_norm));
    for (const std::size_t c : {i, j}) {
      norms.key[c] = static_cast<float>(static_cast<double>(key_norm[c]) * factor);
      norms.query[c] = static_cast<float>(static_cast<double>(query_norm[c]) / factor);
    }
  };
  for (std::size_t i = 0; i < half; ++i)
    rope.neighbours ? balance(2 * i, 2 * i + 1) : balance(i, i + half);
  for (std::size_t c = rope.dimensions; c < key_norm.size(); ++c) balance(c, c);
  return norms;
}

}  // namespace bankai::model
