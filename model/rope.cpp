#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "kernels/scalar_math.h"

namespace bankai::model {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

// The pair index that turns `rotations` times over the original context.
double correction_pair(const RopeParameters& rope, double rotations) {
  return static_cast<double>(rope.dimensions) *
         kernels::log_f64(rope.original_context / (rotations * kTwoPi)) /
         (2.0 * kernels::log_f64(rope.freq_base));
}

}  // namespace

RopeTable::RopeTable(const RopeParameters& rope) : frequencies_(rope.dimensions / 2) {
  double low = 0.0;
  double high = 0.0;
  if (rope.scaling == RopeScaling::kYarn) {
    low = std::max(0.0, std::floor(correction_pair(rope, rope.beta_fast)));
    high = std::min(static_cast<double>(rope.dimensions) - 1.0,
                    std::ceil(correction_pair(rope, rope.beta_slow)));
    magnitude_ = rope.attention_factor * (1.0 + 0.1 * kernels::log_f64(rope.factor));
  }
  for (std::size_t pair = 0; pair < frequencies_.size(); ++pair) {
    const auto index = static_cast<double>(pair);
    double plain =
        kernels::pow_f64(rope.freq_base, -2.0 * index / static_cast<double>(rope.dimensions));
    if (!rope.frequency_factors.empty()) plain /= static_cast<double>(rope.frequency_factors[pair]);
    const double interpolated = plain / rope.factor;
    double keep = 0.0;  // share of the plain frequency
    if (rope.scaling == RopeScaling::kNone) keep = 1.0;
    if (rope.scaling == RopeScaling::kYarn)
      keep = 1.0 - std::clamp((index - low) / std::max(0.001, high - low), 0.0, 1.0);
    frequencies_[pair] = interpolated * (1.0 - keep) + plain * keep;
  }
}

void RopeTable::extend_to(std::size_t count) {
  if (count <= positions_) return;
  cos_.resize(count * half());
  sin_.resize(count * half());
  for (std::size_t position = positions_; position < count; ++position) {
    for (std::size_t pair = 0; pair < half(); ++pair) {
      double sine = 0.0;
      double cosine = 0.0;
      kernels::sin_cos_f64(static_cast<double>(position) * frequencies_[pair], &sine, &cosine);
      cos_[position * half() + pair] = static_cast<float>(cosine * magnitude_);
      sin_[position * half() + pair] = static_cast<float>(sine * magnitude_);
    }
  }
  positions_ = count;
}

void split_pairs(float* head, std::size_t half) {
  thread_local std::vector<float> pairs;
  pairs.assign(head, head + 2 * half);
  for (std::size_t i = 0; i < half; ++i) {
    head[i] = pairs[2 * i];
    head[i + half] = pairs[2 * i + 1];
  }
}

void join_pairs(float* head, std::size_t half) {
  thread_local std::vector<float> halves;
  halves.assign(head, head + 2 * half);
  for (std::size_t i = 0; i < half; ++i) {
    head[2 * i] = halves[i];
    head[2 * i + 1] = halves[i + half];
  }
}

}  // namespace bankai::model
