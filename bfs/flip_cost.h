// What flips cost in the binary patch format (docs/formats/patch.md), before their places are
// known: the expected size of a Rice-coded set of k out of N evenly spread places. A function of
// counts alone, so that candidates of different kinds can be compared by gain per byte.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "patch/flip_set.h"

namespace bankai::bfs {

class FlipCost {
 public:
  // `shapes`: of all matrices that flips may lie in. While a patch touches fewer layers than these,
  // its index space is smaller, but each further layer has to be named: about the same bits.
  explicit FlipCost(std::span<const patch::TensorShape> shapes);

  std::uint64_t num_places(patch::FlipKind kind) const;

  // Expected bits of `count` flips of a kind together: their gaps, the set's shift and the first
  // byte of its count; 0 for none. REQUIRES: count <= num_places(kind).
  double set_bits(patch::FlipKind kind, std::uint64_t count) const;

  // Bits that one flip of the kind adds to a patch that has `count` of them: about log2(N / count)
  // (the first flip of a kind also opens its set). REQUIRES: count < num_places(kind).
  double marginal_bits(patch::FlipKind kind, std::uint64_t count) const {
    return set_bits(kind, count + 1) - set_bits(kind, count);
  }

 private:
  std::array<std::uint64_t, patch::kNumFlipKinds> places_{};  // by kind
};

}  // namespace bankai::bfs
