#include "model/kv_quantiser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/half.h"
#include "kernels/scalar_math.h"

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

// What a least-squares fit of y to x has to be multiplied by, so that x·y is x·x.
// The limits leave alone what is no fit, as where half precision cannot hold the elements.
double unshrunk(double squares, double product) {
  const double factor = squares / product;
  return factor > 0.5 && factor < 2.0 ? factor : 1.0;
}

// Metadata of codes whose elements are as long as x in the direction of x.
KvMetadata lengthened(const float* x, std::size_t n, const std::uint8_t* codes,
                      KvMetadata metadata) {
  const auto scale = static_cast<double>(kernels::f16_to_float(metadata.scale));
  const auto minimum = static_cast<double>(kernels::f16_to_float(metadata.minimum));
  double squares = 0.0;
  double product = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto element = static_cast<double>(x[i]);
    squares += element * element;
    product += element * (static_cast<double>(codes[i]) * scale + minimum);
  }
  const double factor = unshrunk(squares, product);
  const KvMetadata longer =
      stored({static_cast<float>(minimum * factor), static_cast<float>(scale * factor)});
  const bool is_finite = std::isfinite(kernels::f16_to_float(longer.scale)) &&
                         std::isfinite(kernels::f16_to_float(longer.minimum));
  return is_finite ? longer : metadata;
}

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
  return lengthened(x, n, codes, metadata);
}

// Signs, and the scale that makes x·y = x·x where the first `num_skipped` elements of y are 0.
float round_to_signs(const float* x, std::size_t n, std::size_t num_skipped, std::uint8_t* codes) {
  double squares = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto element = static_cast<double>(x[i]);
    squares += element * element;
    if (i >= num_skipped) sum += std::fabs(element);
    codes[i] = x[i] >= 0.0F ? 1 : 0;
  }
  return sum == 0.0 ? 0.0F : static_cast<float>(squares / sum);
}

constexpr std::size_t kMostScaleCodes = 7;
constexpr std::size_t kStepsPerOctave = 8;  // of seven codes
constexpr std::size_t kStepsBelowOne = 81;  // the least scale of seven codes is 2^-10

// The scales of seven codes; fewer codes take every second of them, every fourth, …
const std::array<float, std::size_t{1} << kMostScaleCodes>& coded_scales() {
  static const auto scales = [] {
    std::array<float, std::size_t{1} << kMostScaleCodes> table{};
    for (std::size_t i = 1; i < table.size(); ++i)
      table[i] = static_cast<float>(
          kernels::pow_f64(2.0, (static_cast<double>(i) - static_cast<double>(kStepsBelowOne)) /
                                    static_cast<double>(kStepsPerOctave)));
    return table;
  }();
  return scales;
}

// The number of the scale that is nearest by ratio; the last one for what is no number.
std::size_t scale_number(float scale, std::size_t num_codes) {
  const std::size_t last = (std::size_t{1} << num_codes) - 1;
  if (!std::isfinite(scale)) return last;
  std::size_t number = 1;
  while (number + 1 < last &&
         scale * scale > kv_coded_scale(number, num_codes) * kv_coded_scale(number + 1, num_codes))
    ++number;
  return scale < 0.5F * kv_coded_scale(1, num_codes) ? 0 : number;
}

void quantise_bits(const float* x, std::size_t n, std::size_t num_codes, std::uint8_t* codes) {
  const std::size_t number = scale_number(round_to_signs(x, n, num_codes, codes), num_codes);
  for (std::size_t i = 0; i < num_codes; ++i)
    codes[i] = static_cast<std::uint8_t>((number >> i) & 1U);
}

}  // namespace

KvMetadata quantise_vector(const kernels::KernelTable& table, const KvFormat& format,
                           const float* x, std::size_t n, std::uint8_t* codes) {
  const std::size_t num_scale_codes = kv_scale_codes(format, n);
  if (num_scale_codes > 0) {
    quantise_bits(x, n, num_scale_codes, codes);
    return {};
  }
  if (format.storage == KvStorage::kSigns && format.rotates())
    return {kernels::float_to_f16(round_to_signs(x, n, 0, codes)), 0};
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

std::size_t kv_scale_codes(const KvFormat& format, std::size_t n) {
  if (format.storage != KvStorage::kBits1 || !format.rotates()) return 0;
  return n < 8 ? 0 : std::min(kMostScaleCodes, n / 4);
}

float kv_coded_scale(std::size_t number, std::size_t num_codes) {
  if (number + 1 == std::size_t{1} << num_codes) return std::numeric_limits<float>::quiet_NaN();
  return coded_scales()[number << (kMostScaleCodes - num_codes)];
}

}  // namespace bankai::model
