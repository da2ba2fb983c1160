#include "model/binary_residual_products.h"

#include <algorithm>
#include <cmath>

namespace bankai::model {
namespace {

constexpr std::size_t kTokensTogether = 8;  // so that sums stay in the first cache

// The least sum in [−cols, cols] from which on the row's output is +1; cols + 1 if there is none.
// Of a row that falls, the sum is that of its complement.
std::int32_t threshold_of(const ChannelAffine& affine, std::size_t row, std::size_t cols) {
  const std::int32_t sign = affine.falls(row) ? -1 : 1;
  std::int32_t low = -static_cast<std::int32_t>(cols), high = static_cast<std::int32_t>(cols) + 1;
  while (low < high) {
    const std::int32_t middle = low + (high - low) / 2;
    if (affine(row, sign * middle) >= 0.0F)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

}  // namespace

ChannelAffine::ChannelAffine(const BinaryChannels& channels, const BinaryResidualRules& rules)
    : scale_(channels.scale.data()),
      offset_(channels.offset.data()),
      sum_scale_(rules.divide_by_root ? 1.0F / std::sqrt(static_cast<float>(channels.weights.cols))
                                      : 1.0F),
      offset_before_scale_(rules.offset_before_scale) {}

AffineProduct::AffineProduct(const BinaryChannels& channels, const BinaryResidualRules& rules)
    : rows(channels.weights.rows),
      cols(channels.weights.cols),
      panels(to_panels(channels.weights)),
      affine(channels, rules) {}

void AffineProduct::run(const kernels::KernelTable& table, const std::uint64_t* in,
                        std::size_t tokens, float* out) const {
  const std::size_t words = BinaryMatrix::words_of(cols);
  std::vector<std::int32_t> sums(std::min(tokens, kTokensTogether) * rows);
  for (std::size_t first = 0; first < tokens; first += kTokensTogether) {
    const std::size_t count = std::min(kTokensTogether, tokens - first);
    table.xnor_gemm(panels.data(), rows, in + first * words, count, cols, sums.data(), rows);
    for (std::size_t token = 0; token < count; ++token)
      for (std::size_t row = 0; row < rows; ++row)
        out[(first + token) * rows + row] = affine(row, sums[token * rows + row]);
  }
}

SignProduct::SignProduct(const BinaryChannels& channels, const BinaryResidualRules& rules) {
  const ChannelAffine affine(channels, rules);
  BinaryLinear rising{channels.weights, {}};  // columns fill whole words
  const std::size_t words = rising.weights.row_words();
  for (std::size_t row = 0; row < rising.weights.rows; ++row) {
    rising.thresholds.push_back(threshold_of(affine, row, rising.weights.cols));
    falls.push_back(affine.falls(row) ? 1 : 0);
    if (!affine.falls(row)) continue;
    std::uint64_t* bits = rising.weights.bits.data() + row * words;
    std::transform(bits, bits + words, bits, [](std::uint64_t word) { return ~word; });
  }
  linear = pack_linear(rising);
}

void sign_norms(const kernels::KernelTable& table, const float* x, std::size_t tokens,
                const std::vector<float>& gamma, float epsilon, std::uint64_t* bits) {
  const std::size_t width = gamma.size();
  std::vector<float> normalised(width);
  for (std::size_t token = 0; token < tokens; ++token) {
    table.rms_norm(x + token * width, gamma.data(), width, epsilon, normalised.data());
    for (std::size_t first = 0; first < width; first += 64) {
      std::uint64_t word = 0;
      for (std::size_t i = first; i < std::min(width, first + 64); ++i)
        word |= std::uint64_t{normalised[i] >= 0.0F} << i % 64;
      *bits++ = word;
    }
  }
}

}  // namespace bankai::model
