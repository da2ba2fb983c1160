#include "model/binary_cache.h"

#include <algorithm>

#include "kernels/bit_panels.h"

namespace bankai::model {

using kernels::kBitPanelRows;

std::size_t BinaryCache::panel_stride() const { return words_ * kBitPanelRows; }

void BinaryCache::set_positions(std::size_t count) {
  const std::size_t blocks = (count + kBitPanelRows - 1) / kBitPanelRows;
  for (Layer& layer : layers_) {
    layer.keys.resize(blocks * panel_stride());
    layer.values.resize(count * words_);
  }
  positions_ = count;
}

void BinaryCache::store(std::size_t layer, std::size_t position, const std::uint64_t* key,
                        const std::uint64_t* value) {
  Layer& to = layers_[layer];
  std::uint64_t* lane =
      to.keys.data() + position / kBitPanelRows * panel_stride() + position % kBitPanelRows;
  for (std::size_t word = 0; word < words_; ++word) lane[word * kBitPanelRows] = key[word];
  std::copy_n(value, words_, to.values.data() + position * words_);
}

}  // namespace bankai::model
