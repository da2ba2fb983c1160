#include "bfs/half_layer.h"

#include "core/check.h"

namespace bankai::bfs {

HalfLayer half_layer_of(TensorAddress tensor) {
  BANKAI_CHECK(tensor.projection < Projection::kEmbedding, "flips are searched inside layers only");
  return {tensor.layer, tensor.projection <= Projection::kDown};
}

}  // namespace bankai::bfs
