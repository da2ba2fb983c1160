// Division of work as pure functions of (count, size, rank).
#pragma once

#include <cstddef>

#include "core/check.h"

namespace bankai {

struct IndexRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

// The contiguous part of [0, count) of part `index` of `parts`; sizes differ by at most one, larger
// parts first.
inline IndexRange part_of(std::size_t count, std::size_t parts, std::size_t index) {
  BANKAI_CHECK(index < parts, "no such part");
  const std::size_t base = count / parts;
  const std::size_t extra = count % parts;
  const std::size_t begin = index * base + (index < extra ? index : extra);
  return {begin, begin + base + (index < extra ? 1 : 0)};
}

}  // namespace bankai
