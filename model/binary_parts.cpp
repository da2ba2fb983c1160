#include "model/binary_parts.h"

namespace bankai::model {

PackedLinear pack_linear(const BinaryLinear& linear) {
  return {linear.weights.rows, linear.weights.cols, to_panels(linear.weights), linear.thresholds};
}

PackedLayer pack_layer(const BinaryLayer& layer) {
  return {pack_linear(layer.q),   pack_linear(layer.k),    pack_linear(layer.v),
          pack_linear(layer.o),   pack_linear(layer.gate), pack_linear(layer.up),
          pack_linear(layer.down)};
}

void BinaryActivations::resize(const BinaryShape& shape, std::size_t tokens) {
  for (Words* of_width : {&state, &q, &k, &v, &attended, &o, &down})
    of_width->resize(tokens * BinaryMatrix::words_of(shape.width));
  for (Words* wide : {&gate, &up, &hidden})
    wide->resize(tokens * BinaryMatrix::words_of(shape.feed_forward));
}

}  // namespace bankai::model
