#include "tests/support/reference_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/support/reference_weights.h"
#include "tests/support/unwrap.h"

namespace bankai::testing {

// YaRN: a pair that turns more than 32 times over the original context keeps its frequency, one
// that turns less than once is slowed down by the factor, a linear ramp between them.
ReferenceRope::ReferenceRope(const model::GgufFile& file, const std::string& architecture,
                             std::size_t head_dim)
    : head_dim_(head_dim), neighbours_(architecture == "llama") {
  const std::string prefix = architecture + ".rope.";
  dimensions_ = unwrap(file.get_unsigned(prefix + "dimension_count", head_dim));
  const auto dimensions = static_cast<double>(dimensions_);
  const double base = unwrap(file.get_float(prefix + "freq_base", 10000.0));
  const std::string scaling = unwrap(file.get_string(prefix + "scaling.type", "none"));
  const double factor = scaling == "none" ? 1.0 : unwrap(file.get_float(prefix + "scaling.factor"));
  double low = 0.0;
  double high = 0.0;
  if (scaling == "yarn") {
    const double context = unwrap(file.get_float(prefix + "scaling.original_context_length"));
    const auto pair_with_turns = [&](double turns) {
      return dimensions * std::log(context / (turns * 2.0 * std::numbers::pi)) /
             (2.0 * std::log(base));
    };
    low = std::max(0.0, std::floor(pair_with_turns(32.0)));
    high = std::min(dimensions - 1.0, std::ceil(pair_with_turns(1.0)));
    magnitude_ = (1.0 + 0.1 * std::log(factor)) *
                 unwrap(file.get_float(prefix + "scaling.attn_factor", 1.0));
  }
  std::vector<double> factors(dimensions_ / 2, 1.0);  // Llama 3
  if (file.find_tensor("rope_freqs.weight") != nullptr)
    factors = reference_vector(file, "rope_freqs.weight");
  for (std::size_t pair = 0; pair < dimensions_ / 2; ++pair) {
    const auto index = static_cast<double>(pair);
    const double plain = std::pow(base, -2.0 * index / dimensions) / factors[pair];
    const double kept =
        scaling == "yarn" ? 1.0 - std::clamp((index - low) / std::max(0.001, high - low), 0.0, 1.0)
                          : 0.0;
    frequencies_.push_back(plain * kept + plain / factor * (1.0 - kept));
  }
}

void ReferenceRope::rotate(std::vector<double>& heads, std::size_t num_heads) const {
  const std::size_t half = dimensions_ / 2;
  for (std::size_t h = 0; h < heads.size() / head_dim_; ++h) {
    const auto position = static_cast<double>(h / num_heads);
    double* head = heads.data() + h * head_dim_;
    for (std::size_t pair = 0; pair < half; ++pair) {
      const double angle = position * frequencies_[pair];
      const double cosine = magnitude_ * std::cos(angle);
      const double sine = magnitude_ * std::sin(angle);
      double& first = head[neighbours_ ? 2 * pair : pair];
      double& second = head[neighbours_ ? 2 * pair + 1 : pair + half];
      const double turned = first * cosine - second * sine;
      second = first * sine + second * cosine;
      first = turned;
    }
  }
}

}  // namespace bankai::testing
