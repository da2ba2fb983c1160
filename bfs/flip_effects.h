// What flipping one bit of a strictly binary model's activations does to an item's score, for every
// bit of every token, from the top down (docs/binary_models.md).
//
// A bit can only flip, so its effect is a number, and each step down is exact for one flip alone:
//   logits          the change of the terms that look at the token
//   sign(x + a + f) flips with x where a and f differ, with a where x and f do, with f likewise
//   gate · up       flips with either
//   sign(W x − t)   flips with x_c where its sum is next to the threshold and w x_c is on the side
//                   of the output: s − t in [−2, 1], w x_c = output
//   pointer         flips with v where it points; a flip of a bit of q or k may move it to another
//                   position, which flips the bits where the two values differ
// Effects of several flips are added. What that leaves out grows from layer to layer, and spoils
// the parts of an effect differently: `linear`, first order in the logits, loses its direction and
// is damped by kLinearDamping per layer; `curved`, the rest, is mostly damage, which adds up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/binary_trace.h"
#include "bfs/logit_view.h"
#include "bfs/objective.h"
#include "kernels/kernel_table.h"
#include "model/binary_parts.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

inline constexpr float kLinearDamping = 0.3F;

struct BitEffects {
  std::vector<float> linear, curved;  // (tokens, bits)
  float at(std::size_t i) const { return linear[i] + curved[i]; }
  void reset(std::size_t count);
};

// Sums W x of a product, (tokens, rows).
using ProductSums = std::vector<std::int32_t>;

struct LayerSums {
  ProductSums q, k, v, o, gate, up, down;
};

// Of the outputs of a layer's products, and of what the layer reads.
struct LayerEffects {
  BitEffects q, k, v, o, hidden, down;  // gate and up flip with hidden
  BitEffects attended, state;
};

// Whether one product more or less on the output's side flips the output.
constexpr bool is_next_to_threshold(std::int32_t sum, std::int32_t threshold) {
  return sum - threshold >= -2 && sum - threshold <= 1;
}

// ±1 of a bit.
constexpr float sign_at(const std::uint64_t* words, std::size_t bit) {
  return (words[bit / 64] >> bit % 64 & 1U) != 0 ? 1.0F : -1.0F;
}

// Of the bits behind the last layer. step: how much a real logit changes when one of its products
// does.
BitEffects top_effects(const model::BinaryTransformer& transformer, const BinaryTrace& trace,
                       std::span<const TokenView> views, double step);

LayerSums layer_sums(const model::BinaryTransformer& transformer, std::size_t layer,
                     const model::BinaryActivations& bits);

// Of a layer from those of the bits behind it. The same for any number of threads.
LayerEffects layer_effects(const model::BinaryTransformer& transformer, std::size_t layer,
                           const BinaryTrace& trace, const LayerSums& sums,
                           const BitEffects& above);

}  // namespace bankai::bfs
