#include "packer/learned_model.h"

#include "core/check.h"
#include "core/partition.h"

namespace bankai::packer {
namespace {

using NeighbourhoodRate = Rate<3, 6, 100>;
using ZeroRate = Rate<2, 20, 200>;
using SignRate = Rate<1, 50, 500>;
using WeightRate = Rate<3, 50, 4095>;

std::int32_t moved(std::int32_t bias, std::int32_t step) {
  return std::clamp(bias + step, -kMaxBias, kMaxBias);
}

}  // namespace

LearnedModel::LearnedModel(const kernels::KernelTable& table, bool is_trits, std::size_t rows,
                           std::size_t cols)
    : table_(table),
      probabilities_(probability_table().data() + kMaxLogit),
      is_trits_(is_trits),
      is_tall_(rows >= cols),
      num_samples_(std::max(rows, cols)),
      num_features_(std::min(rows, cols)),
      stride_(padded(num_features_)),
      zero_features_(is_trits ? num_features_ : 0),
      sign_features_(num_features_),
      first_line_(num_features_),
      inputs_(kStepSamples * lines(num_features_)) {
  // 2^11 products of weights below 2^15, times twice the strength's 2^16, are below 2^31 in 2^-16.
  BANKAI_CHECK(num_features_ > 0 && num_features_ <= 2048, "a block of another shape");
  std::size_t count = 0;
  for (std::size_t f = 0; f < num_features_; ++f) {
    first_line_[f] = count;
    count += lines(f);
  }
  weights_.resize(count + 1);  // one more: feature 0 has none, but a place
}

LearnedModel::Step LearnedModel::begin_step(std::size_t index, std::uint8_t* digits) {
  Step step;
  step.index = index;
  const std::size_t parts = std::min(kStepSamples, num_samples_);
  for (std::size_t t = 0; t < parts; ++t) {
    const IndexRange part = part_of(num_samples_, parts, t);
    if (index == part.size()) break;
    const std::size_t sample = part.begin + index;
    step.digits[t] = digits + sample * num_features_;
    step.sample_in_group[t] = static_cast<std::uint8_t>(in_group(sample));
    ++step.size;
  }
  zero_samples_.fill(0);
  sign_samples_.fill(0);
  std::fill(inputs_.begin(), inputs_.end(), Line{});
  return step;
}

// What is known of the digits before it in its sample, and of that in the sample before, and where
// in a group of columns it is.
unsigned LearnedModel::neighbourhood(const Step& step, std::size_t t) const {
  constexpr unsigned kKinds[] = {1, 0, 1};  // of −1, 0, +1
  constexpr unsigned kNone = 2;
  const std::size_t f = step.feature;
  const std::uint8_t* here = step.digits[t] + f;
  return (f > 0 ? kKinds[*(here - 1)] : kNone) + 3 * (f > 1 ? kKinds[*(here - 2)] : kNone) +
         9 * (step.index > 0 ? kKinds[*(here - num_features_)] : kNone) +
         27 * (is_tall_ ? in_group(f) : step.sample_in_group[t]);
}

void LearnedModel::learn_zeros(const Step& step, const PerSample<std::int32_t>& errors,
                               const PerSample<unsigned>& near) {
  const std::int32_t rate = ZeroRate::after(step.feature);
  std::int32_t sum = 0;
  for (std::size_t t = 0; t < step.size; ++t) {
    zero_samples_[t] += step_of(errors[t], rate);
    sum += errors[t];
    CountedBias& bias = zero_neighbourhoods_[near[t]];
    bias.value = moved(bias.value, step_of(errors[t], NeighbourhoodRate::after(bias.seen++)));
  }
  std::int32_t& bias = zero_features_[step.feature];
  bias = moved(bias, step_of(sum, ZeroRate::after(step.index * kStepSamples)));
}

void LearnedModel::learn_signs(const Step& step, const PerSample<std::int32_t>& errors,
                               const PerSample<std::int32_t>& sums) {
  const std::size_t f = step.feature;
  const std::size_t seen = step.index * kStepSamples;
  const std::int32_t sample_rate = SignRate::after(f);
  const std::int32_t weight_rate = WeightRate::after(seen + f);
  std::int32_t sum = 0;
  std::int64_t agreement = 0;
  PerSample<std::int16_t> steps;
  for (std::size_t t = 0; t < kStepSamples; ++t) {
    sign_samples_[t] += step_of(errors[t], sample_rate);
    steps[t] = static_cast<std::int16_t>(step_of(errors[t], weight_rate));
    sum += errors[t];
    agreement += std::int64_t{errors[t]} * sums[t];
  }
  sign_features_[f] = moved(sign_features_[f], step_of(sum, SignRate::after(seen)));
  strength_ = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(strength_ + (agreement >> 21U), 0, 2 * kStrengthOne));
  table_.add_signs(steps.data(), inputs_of(0), stride_, padded(f), kMaxWeight, weights_of(f));
}

}  // namespace bankai::packer
