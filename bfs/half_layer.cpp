#include "bfs/half_layer.h"

namespace bankai::bfs {

HalfLayer half_layer_of(TensorAddress tensor) {
  if (tensor.projection >= Projection::kEmbedding) return {};
  return {tensor.layer, tensor.projection <= Projection::kDown};
}

std::uint64_t half_layers_from(HalfLayer from, std::size_t num_layers) {
  return 2 * (num_layers - from.layer) - (from.is_ffn ? 1 : 0);
}

}  // namespace bankai::bfs
