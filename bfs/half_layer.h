// Where flips enter a model.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "core/tensor_address.h"

namespace bankai::bfs {

// The attention or the feed-forward half of a layer. Ascending in depth.
struct HalfLayer {
  std::uint32_t layer = 0;
  bool is_ffn = false;
  auto operator<=>(const HalfLayer&) const = default;
};

// Of the embedding the lowest; of the head too, which does for counting work.
HalfLayer half_layer_of(TensorAddress tensor);

// How many half-layers a pass from `from` to the top of a model of `num_layers` layers runs.
std::uint64_t half_layers_from(HalfLayer from, std::size_t num_layers);

}  // namespace bankai::bfs
