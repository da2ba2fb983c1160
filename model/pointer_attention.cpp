#include "model/pointer_attention.h"

#include <algorithm>
#include <utility>

#include "kernels/bit_panels.h"

namespace bankai::model {

PointerAttention::PointerAttention(std::size_t width, std::size_t heads)
    : words_(BinaryMatrix::words_of(width)) {
  const std::size_t bits = width / heads;
  for (std::size_t begin = 0; begin < width; begin += bits) {
    const std::size_t end = begin + bits;
    const std::size_t num_words = BinaryMatrix::words_of(end) - begin / 64;
    Head head{begin / 64, std::vector<std::uint64_t>(num_words, ~std::uint64_t{0})};
    head.masks.front() &= ~std::uint64_t{0} << begin % 64;
    head.masks.back() &= BinaryMatrix::last_word_mask(end);
    heads_.push_back(std::move(head));
  }
}

void PointerAttention::attend(const kernels::KernelTable& table, const std::uint64_t* query,
                              const BinaryCache& cache, std::size_t layer, std::size_t position,
                              std::int64_t bit_cost, std::span<const std::int32_t> slopes,
                              TieRule tie, std::uint64_t* out) const {
  std::fill_n(out, words_, 0);
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    const Head& head = heads_[h];
    const std::size_t target =
        table.xnor_pointer({.query = query + head.first_word,
                            .mask = head.masks.data(),
                            .words = head.masks.size(),
                            .keys = cache.keys(layer) + head.first_word * kernels::kBitPanelRows,
                            .panel_stride = cache.panel_stride(),
                            .num_positions = position + 1,
                            .bit_cost = bit_cost,
                            .position_cost = slopes[h],
                            .latest = tie == TieRule::kLatest});
    const std::uint64_t* value = cache.value(layer, target) + head.first_word;
    for (std::size_t word = 0; word < head.masks.size(); ++word)
      out[head.first_word + word] |= value[word] & head.masks[word];
  }
}

}  // namespace bankai::model
