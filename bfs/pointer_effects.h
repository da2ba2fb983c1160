// The effects of flipped bits through hard attention, from what heads take to queries, keys and
// values.
#pragma once

#include <cstddef>

#include "bfs/flip_effects.h"

namespace bankai::bfs {

// Adds to effects.q, .k and .v of a layer, from effects.attended.
void add_pointer_effects(const model::BinaryTransformer& transformer, std::size_t layer,
                         const BinaryTrace& trace, LayerEffects& effects);

}  // namespace bankai::bfs
