#include "core/tensor_address.h"

namespace bankai {

std::string to_string(TensorAddress address) {
  std::string name(short_name(address.projection));
  if (address.projection == Projection::kEmbedding || address.projection == Projection::kHead)
    return name;
  return "layer " + std::to_string(address.layer) + " " + name;
}

}  // namespace bankai
