// Rotary positions by their description, in double precision; part of ReferenceTransformer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace bankai::testing {

class ReferenceRope {
 public:
  ReferenceRope() = default;
  // Of an architecture's keys. Throws std::runtime_error for values of the wrong type.
  ReferenceRope(const model::GgufFile& file, const std::string& architecture, std::size_t head_dim);

  // heads (tokens, num_heads, head_dim), token t at position t.
  void rotate(std::vector<double>& heads, std::size_t num_heads) const;

 private:
  std::size_t head_dim_ = 0;
  std::size_t dimensions_ = 0;
  bool neighbours_ = false;          // rotated pairs: (2i, 2i + 1), or (i, i + dimensions / 2)
  std::vector<double> frequencies_;  // radians per position, one per pair
  double magnitude_ = 1.0;
};

}  // namespace bankai::testing
