// Attention of parameter-golf models, and what it remembers of past positions. Double precision,
// every sum in a fixed order: the same bytes however a sequence is cut into calls.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "model/golf_parameters.h"
#include "model/kv_cache.h"

namespace bankai::model {

// What one pass remembers of the positions so far.
struct GolfPast {
  // Keys after RoPE in blocks of kernels::kKeyBlock positions, (blocks, kv_heads · head_dim,
  // kKeyBlock), so that a loop over positions has no dependence; values (positions, kv_heads ·
  // head_dim).
  std::vector<double> keys, values;
  std::optional<KvRows> kept;      // instead of them, where keys and values have a format
  std::vector<double> smear_sums;  // (embedding): of the stream, or empty
};

// The frequencies of RoPE, (head_dim / 2), radians per position.
std::vector<double> golf_frequencies(const GolfParameters& parameters);

// x / sqrt(mean of squares + eps), in place, summed in ascending order.
void golf_normalize(double* x, std::size_t n, double eps);

// Norm per head, then RoPE with its sign reversed (y1 = x1 cos + x2 sin, y2 = x2 cos − x1 sin),
// then the gain of the head. In place in heads (rows, num_heads, head_dim), which stand at
// positions first_position …
void rotate_golf_heads(const GolfParameters& parameters, const std::vector<double>& frequencies,
                       int threads, std::size_t first_position, std::size_t rows,
                       std::size_t num_heads, const std::vector<float>* gain, double* heads);

// Appends keys and values, (rows, kv_heads · head_dim) each.
void append_golf_rows(const GolfParameters& parameters, const std::vector<double>& key,
                      const std::vector<double>& value, GolfPast& past);

// Causal attention of the last `rows` positions of `past`; query and out (rows, heads, head_dim).
void attend_golf(const GolfParameters& parameters, int threads, const std::vector<double>& query,
                 const GolfPast& past, std::size_t rows, std::vector<double>& out);

}  // namespace bankai::model
