// Cosines and sines of rotary position embedding, with linear and YaRN scaling and factors of each
// frequency.
#pragma once

#include <cstddef>
#include <vector>

#include "model/hyperparameters.h"

namespace bankai::model {

// Computes in double precision with our own functions, so the table is the same on every machine.
// YaRN (Peng et al. 2023, arXiv 2309.00071, section 3.2 and the attention factor of 3.4).
class RopeTable {
 public:
  // REQUIRES: no frequency factors, or one per pair.
  explicit RopeTable(const RopeParameters& parameters);

  // Makes the rows of positions [0, count) available. Not thread-safe; invalidates pointers.
  void extend_to(std::size_t count);

  // Row of one position, (half()). REQUIRES: position below the count given to extend_to.
  const float* cos(std::size_t position) const { return cos_.data() + position * half(); }
  const float* sin(std::size_t position) const { return sin_.data() + position * half(); }
  std::size_t half() const { return frequencies_.size(); }

 private:
  std::vector<double> frequencies_;  // radians per position, one per pair
  double magnitude_ = 1.0;           // factor of cos and sin
  std::size_t positions_ = 0;
  std::vector<float> cos_;
  std::vector<float> sin_;
};

// The pairs (2i, 2i + 1) of a head, i < half, become (i, i + half), as the kernels rotate them; and
// back. In place. Queries and keys in the same order have the same products.
void split_pairs(float* head, std::size_t half);
void join_pairs(float* head, std::size_t half);

}  // namespace bankai::model
