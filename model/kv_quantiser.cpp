#include "model/kv_quantiser.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/half.h"

namespace bankai::model {
namespace {

constexpr float kLeastScale = 1e-6F;

struct Range {
  float minimum = 0.0F;
  float scale = 0.0F;
};

Range full_range(const float* x, std::size_t n, float most) {
  const auto [least, largest] = std::minmax_element(x, x + n);
  Range range{*least, std::max((*largest - *least) / most, kLeastScale)};
  for (std::size_t i = 0; i < n; ++i)
    if (!std::isfinite(x[i])) range.scale = x[i] - x[i];  // NaN
  return range;
}

// Codes as floats. NaN gives 0.
void round_to_codes(const float* x, std::size_t n, Range range, float most, float* codes) {
  constexpr float kRound =
      0x1.8p23F;  // adding it rounds a small number to an integer, half to even
  for (std::size_t i = 0; i < n; ++i) {
    float v = (x[i] - range.minimum) / range.scale;
    v = v > 0.0F ? v : 0.0F;
    v = v < most ? v : most;
    codes[i] = (v + kRound) - kRound;
  }
}

void store_codes(const float* from, std::size_t n, std::uint8_t* codes) {
  for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<std::uint8_t>(from[i]);
}

KvMetadata stored(Range range) {
  return {kernels::float_to_f16(range.scale), kernels::float_to_f16(range.minimum)};
}

KvMetadata quantise_signs(const float* x, std::size_t n, std::uint8_t* codes) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<double>(std::fabs(x[i]));
    codes[i] = x[i] >= 0.0F ? 1 : 0;
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(n));
  return {kernels::float_to_f16(mean < kLeastScale ? kLeastScale : mean), 0};
}

// The range of least squared error, by turns of codes and linear regression on them.
class RangeFit {
 public:
  RangeFit(const kernels::KernelTable& table, const float* x, std::size_t n, float most)
      : table_(table), x_(x), n_(n), most_(most), codes_(n), centred_(n) {
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
    mean_ = static_cast<float>(sum / static_cast<double>(n));
    for (std::size_t i = 0; i < n; ++i) centred_[i] = x[i] - mean_;
    deviation_ =
        std::sqrt(table.dot_f32(centred_.data(), centred_.data(), n) / static_cast<float>(n));
  }

  Range symmetric_start(float deviations) const {
    const float half = deviations * deviation_;
    return {mean_ - half, std::max(2.0F * half / most_, kLeastScale)};
  }

  // Improves `start`, and keeps the outcome if it is the best so far.
  void try_from(Range start, int turns) {
    Range range = start;
    for (int turn = 0; turn < turns; ++turn) {
      const double gain = regress(range);
      if (gain > best_gain_) {
        best_gain_ = gain;
        best_ = range;
      }
    }
  }
  // `otherwise` where no regression was possible: a vector of equal elements.
  Range best(Range otherwise) const { return best_gain_ > 0.0 ? best_ : otherwise; }

 private:
  // Replaces the range by the regression on its codes; how much less the squared error is than that
  // of the mean alone.
  double regress(Range& range) {
    round_to_codes(x_, n_, range, most_, codes_.data());
    double sum = 0.0;
    double squares = 0.0;  // both exact
    for (std::size_t i = 0; i < n_; ++i) {
      sum += static_cast<double>(codes_[i]);
      squares += static_cast<double>(codes_[i] * codes_[i]);
    }
    const double mean_code = sum / static_cast<double>(n_);
    const double spread = squares - sum * mean_code;
    if (!(spread > 0.0)) return 0.0;
    const double product = static_cast<double>(table_.dot_f32(centred_.data(), codes_.data(), n_));
    const double scale = product / spread;
    range.scale = std::max(static_cast<float>(scale), kLeastScale);
    range.minimum = static_cast<float>(static_cast<double>(mean_) - scale * mean_code);
    return product * scale;
  }

  const kernels::KernelTable& table_;
  const float* x_;
  std::size_t n_;
  float most_;
  float mean_ = 0.0F;
  float deviation_ = 0.0F;
  std::vector<float> codes_, centred_;
  Range best_;
  double best_gain_ = 0.0;
};

KvMetadata quantise_fitted(const kernels::KernelTable& table, const float* x, std::size_t n,
                           float most, std::uint8_t* codes) {
  const Range full = full_range(x, n, most);
  RangeFit fit(table, x, n, most);
  fit.try_from(full, 3);
  fit.try_from(fit.symmetric_start(1.5F), 3);
  const KvMetadata metadata = stored(fit.best(full));
  std::vector<float> rounded(n);
  round_to_codes(x, n,
                 {kernels::f16_to_float(metadata.minimum), kernels::f16_to_float(metadata.scale)},
                 most, rounded.data());
  store_codes(rounded.data(), n, codes);
  return metadata;
}

std::size_t rotated_block(std::size_t n) { return n & (~n + 1); }

// Element i of a block is negated: bit i of a fixed random word sequence.
bool is_negated(std::size_t i) {
  static const CounterRng rng(0x6b76);
  return (rng.bits(i) & 1U) != 0;
}

void negate_some(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (is_negated(i)) x[i] = -x[i];
}

void hadamard(float* x, std::size_t block) {
  for (std::size_t width = 1; width < block; width *= 2)
    for (std::size_t first = 0; first < block; first += 2 * width)
      for (std::size_t i = first; i < first + width; ++i) {
        const float a = x[i];
        const float b = x[i + width];
        x[i] = a + b;
        x[i + width] = a - b;
      }
  const float factor = 1.0F / std::sqrt(static_cast<float>(block));
  for (std::size_t i = 0; i < block; ++i) x[i] *= factor;
}

}  // namespace

KvMetadata quantise_vector(const kernels::KernelTable& table, const KvFormat& format,
                           const float* x, std::size_t n, std::uint8_t* codes) {
  if (format.storage == KvStorage::kSigns) return quantise_signs(x, n, codes);
  if (format.storage == KvStorage::kBits1) {
    for (std::size_t i = 0; i < n; ++i) codes[i] = x[i] >= 0.0F ? 1 : 0;
    return {};
  }
  const auto most = static_cast<float>((1U << kv_storage_info(format.storage).bits) - 1U);
  if (format.quantiser == KvQuantiser::kRotated) return quantise_fitted(table, x, n, most, codes);
  const Range range = full_range(x, n, most);
  thread_local std::vector<float> rounded;
  rounded.resize(n);
  round_to_codes(x, n, range, most, rounded.data());
  store_codes(rounded.data(), n, codes);
  return stored(range);
}

void rotate_vector(float* x, std::size_t n) {
  const std::size_t block = rotated_block(n);
  for (std::size_t first = 0; first < n; first += block) {
    negate_some(x + first, block);
    hadamard(x + first, block);
  }
}

void rotate_back(float* x, std::size_t n) {
  const std::size_t block = rotated_block(n);
  for (std::size_t first = 0; first < n; first += block) {
    hadamard(x + first, block);
    negate_some(x + first, block);
  }
}

}  // namespace bankai::model
