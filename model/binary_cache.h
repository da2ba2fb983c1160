// Keys and values of a strictly binary model, one bit per element: for each position and layer
// ceil(width / 64) words of keys and as many of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/binary_model.h"

namespace bankai::model {

class BinaryCache {
 public:
  explicit BinaryCache(const BinaryShape& shape)
      : words_(BinaryMatrix::words_of(shape.width)), layers_(shape.num_layers) {}

  std::size_t positions() const { return positions_; }
  // More or fewer positions; new ones hold nothing until they are stored.
  void set_positions(std::size_t count);
  // Of all layers, without the rounding to blocks of 8 positions.
  std::size_t bytes_per_position() const {
    return layers_.size() * 2 * words_ * sizeof(std::uint64_t);
  }

  // key, value: (words).
  void store(std::size_t layer, std::size_t position, const std::uint64_t* key,
             const std::uint64_t* value);

  // In panels of panel_stride() words (kernels/bit_panels.h).
  const std::uint64_t* keys(std::size_t layer) const { return layers_[layer].keys.data(); }
  std::size_t panel_stride() const;
  const std::uint64_t* value(std::size_t layer, std::size_t position) const {
    return layers_[layer].values.data() + position * words_;
  }

 private:
  struct Layer {
    std::vector<std::uint64_t> keys;
    std::vector<std::uint64_t> values;  // (positions, words)
  };

  std::size_t words_;
  std::size_t positions_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace bankai::model
