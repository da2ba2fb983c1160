#include "kernels/bit_panels.h"

namespace bankai::kernels {

void pack_bit_panels(const std::uint64_t* row_words, std::size_t rows, std::size_t cols,
                     std::uint64_t* panels) {
  const std::size_t words = (cols + 63) / 64;
  for (std::size_t first = 0; first < rows; first += kBitPanelRows)
    for (std::size_t word = 0; word < words; ++word)
      for (std::size_t row = first; row < first + kBitPanelRows; ++row)
        *panels++ = row < rows ? row_words[row * words + word] : 0;
}

}  // namespace bankai::kernels
