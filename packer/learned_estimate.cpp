#include "packer/learned_estimate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "packer/digit_blocks.h"
#include "packer/entropy.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kMostFeatures = 128;
constexpr std::size_t kMostSamples = 1024;
constexpr std::size_t kWords = kMostSamples / 64;
// Σ of n · r², r the correlation of two features over n signs, per pair: 1 if they are independent,
// with a deviation of 0.02 for 128 features. Small matrices gain from about 1.2 on.
constexpr double kCorrelatedFrom = 1.25;
constexpr double kCostOfNoise = 1.002;

// A feature's signs over the samples: which are not 0, and which of these are plus.
struct SignPlanes {
  std::array<std::uint64_t, kWords> nonzero{};
  std::array<std::uint64_t, kWords> plus{};
};

std::vector<SignPlanes> sample_signs(const std::vector<std::uint8_t>& digits, const Block& block,
                                     bool is_trits) {
  const bool is_tall = block.rows >= block.cols;
  const std::size_t all_features = std::min(block.rows, block.cols);
  const std::size_t all_samples = std::max(block.rows, block.cols);
  const std::size_t num_samples = std::min(all_samples, kMostSamples);
  std::vector<SignPlanes> features(std::min(all_features, kMostFeatures));
  for (std::size_t i = 0; i < features.size(); ++i)
    for (std::size_t k = 0; k < num_samples; ++k) {
      const std::size_t feature = i * all_features / features.size();
      const std::size_t sample = k * all_samples / num_samples;
      const unsigned digit =
          digits[is_tall ? sample * block.cols + feature : feature * block.cols + sample];
      const std::uint64_t bit = std::uint64_t{1} << (k % 64);
      if (!is_trits || digit != 1) features[i].nonzero[k / 64] |= bit;
      if (digit == (is_trits ? 2 : 1)) features[i].plus[k / 64] |= bit;
    }
  return features;
}

// n · r² of two features.
double squared_correlation(const SignPlanes& a, const SignPlanes& b) {
  int both = 0;
  int differ = 0;
  for (std::size_t w = 0; w < kWords; ++w) {
    const std::uint64_t nonzero = a.nonzero[w] & b.nonzero[w];
    both += std::popcount(nonzero);
    differ += std::popcount((a.plus[w] ^ b.plus[w]) & nonzero);
  }
  const double sum = both - 2 * differ;
  return both == 0 ? 0.0 : sum * sum / both;
}

bool are_correlated(const std::vector<SignPlanes>& features) {
  double sum = 0.0;
  for (std::size_t i = 0; i < features.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) sum += squared_correlation(features[i], features[j]);
  const std::size_t pairs = features.size() * (features.size() - 1) / 2;
  return sum > kCorrelatedFrom * static_cast<double>(pairs);
}

}  // namespace

std::optional<std::uint64_t> bytes_if_nothing_is_learned(const ContentSource& source) {
  const Content& content = source.content();
  const Block block = block_at(content, num_blocks(content) / 2);
  std::vector<std::byte> buffer;
  std::vector<std::uint8_t> digits;
  digits_of(content, source.read(block, buffer), digits);
  digits.resize(block.elements());  // of bits, those that fill the last byte are behind
  if (are_correlated(sample_signs(digits, block, content.kind == ContentKind::kTrits)))
    return std::nullopt;
  std::array<std::uint64_t, 3> counts{};
  for (const std::uint8_t digit : digits) ++counts[digit];
  return static_cast<std::uint64_t>(kCostOfNoise * entropy_bits(counts) / 8.0 *
                                    static_cast<double>(content.elements()) /
                                    static_cast<double>(digits.size()));
}

}  // namespace bankai::packer
