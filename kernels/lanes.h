// How a loop over n floats is cut into blocks of 16 lanes. Shared by the instruction-set files, so
// everything is in an unnamed namespace: a copy compiled for one instruction set must never be
// linked into another file.
#pragma once

#include <cstddef>

namespace bankai::kernels {
namespace {

constexpr std::size_t kLanes = 16;

// Which lanes of a block exist: all of them, or the first `count` (0 < count < 16). A vector type
// loads +0 into lanes that do not exist and stores nothing from them.
struct AllLanes {};
struct FirstLanes {
  std::size_t count;
};

// body(i, AllLanes{}) for each whole block starting at i, then body(i, FirstLanes{…}) for the rest.
template <typename Body>
void for_each_block(std::size_t n, Body body) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, AllLanes{});
  if (i < n) body(i, FirstLanes{n - i});
}

}  // namespace
}  // namespace bankai::kernels
