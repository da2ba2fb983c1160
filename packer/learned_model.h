// Digits predicted from those before them by online logistic regression. In a trained matrix rows
// that are alike differ from chance in the same columns, so that what a row has been so far tells
// what it will be; how, is learned while coding. Nothing about it is stored.
//
// The shorter side of a block gives the *features*, the longer one the *samples*: a sample is a row
// of a tall block, a column of a wide one. Eight samples from eight parts of the block make a step;
// within a step digits are coded feature by feature. A trit is two decisions, is it 0? and, if not,
// is it +1?; a bit is one, the second. The second has the probability
//
//   P = σ(t), t = bias of the feature + bias of the sample + strength · Σ weight[f][j] · x[j]
//
// over the features j < f, x[j] the digit of feature j in this sample as −1, 0, +1. Biases, weights
// and the strength start at nothing known and move by rate · (outcome − P) · input, with rates that
// fall as more has been seen. The eight decisions of a feature use what was known before them and
// are learned from together: so weights are fetched once for eight digits, and no decision waits
// for another. All in integers: logits in units of 2^-14, probabilities of 2^-16; the constants are
// part of the format (docs/formats/codecs.md, codecs 15 and 16).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "packer/context_model.h"

namespace bankai::packer {

inline constexpr unsigned kLearnedPrecision = 16;
inline constexpr std::size_t kStepSamples = kernels::kSignRows;
inline constexpr std::int32_t kMaxBias = 1 << 19;    // in 2^-14
inline constexpr std::int16_t kMaxWeight = 24000;    // in 2^-14; eight steps more still fit 16 bits
inline constexpr std::int32_t kStrengthOne = 65536;  // what the strength starts from

// How far a logit moves for an error in 2^-16; `rate` in 2^-18.
inline std::int32_t step_of(std::int32_t error, std::int32_t rate) {
  return static_cast<std::int32_t>((std::int64_t{error} * rate + (1 << 19)) >> 20U);
}

// gain / (first + n), in 2^-18, for n = 0 … last, and as for `last` beyond.
template <int kGain, int kFirst, std::size_t kLast>
struct Rate {
  static constexpr auto kValues = [] {
    std::array<std::int32_t, kLast + 1> rates{};
    for (std::size_t n = 0; n <= kLast; ++n)
      rates[n] = (kGain << 18U) / (kFirst + static_cast<int>(n));
    return rates;
  }();
  static std::int32_t after(std::size_t n) { return kValues[std::min(n, kLast)]; }
};

class LearnedModel {
 public:
  // A block of rows · cols digits. The result does not depend on the table.
  LearnedModel(const kernels::KernelTable& table, bool is_trits, std::size_t rows,
               std::size_t cols);

  // Codes all digits of the block (sample by sample; 0, 1, 2 for −1, 0, +1, or bits) in the order
  // of the format. coder.decide(P, bit) codes one decision with the probability P that it is 1, and
  // returns it; an encoder is given the bit, a decoder is given anything. Fills `digits` with what
  // was decided. Where coder.is_lost(), which is asked once a step, the rest is left out. To be
  // called once.
  template <typename Coder>
  void code(Coder& coder, std::uint8_t* digits) {
    const std::size_t num_steps = (num_samples_ + kStepSamples - 1) / kStepSamples;
    for (std::size_t k = 0; k < num_steps && !coder.is_lost(); ++k) {
      Step step = begin_step(k, digits);
      for (std::size_t f = 0; f < num_features_; ++f) {
        step.feature = f;
        if (is_trits_)
          code_signs<2>(coder, step, code_zeros(coder, step));
        else
          code_signs<1>(coder, step, {{0, 1, 2, 3, 4, 5, 6, 7}, step.size});
      }
    }
  }

 private:
  struct Step {
    std::size_t index = 0;
    std::size_t size = 0;     // of the samples; kStepSamples but in the last step
    std::size_t feature = 0;  // that is being coded
    std::array<std::uint8_t*, kStepSamples> digits{};
    std::array<std::uint8_t, kStepSamples> sample_in_group{};  // see in_group()
  };
  // Samples of a step, ascending.
  struct Members {
    std::array<std::uint8_t, kStepSamples> list{};
    std::size_t count = 0;
  };
  template <typename T>
  using PerSample = std::array<T, kStepSamples>;

  // The first, second, or a later column of a group.
  static unsigned in_group(std::size_t col) {
    return static_cast<unsigned>(std::min<std::size_t>(col % 128, 2));
  }
  Step begin_step(std::size_t index, std::uint8_t* digits);

  std::uint32_t probability(std::int32_t logit) const {
    return probabilities_[std::clamp((logit + 256) >> 9U, -kMaxLogit, kMaxLogit)];
  }
  // Outcome less probability, in 2^-16.
  static std::int32_t error_of(bool outcome, std::uint32_t p) {
    return (static_cast<std::int32_t>(outcome) << 16U) - static_cast<std::int32_t>(p);
  }

  unsigned neighbourhood(const Step& step, std::size_t t) const;
  void learn_zeros(const Step& step, const PerSample<std::int32_t>& errors,
                   const PerSample<unsigned>& near);
  void learn_signs(const Step& step, const PerSample<std::int32_t>& errors,
                   const PerSample<std::int32_t>& sums);

  // Decides which digits are 0; returns the others.
  template <typename Coder>
  Members code_zeros(Coder& coder, const Step& step) {
    PerSample<unsigned> near{};
    PerSample<std::uint32_t> p{};
    for (std::size_t t = 0; t < step.size; ++t) {
      near[t] = neighbourhood(step, t);
      p[t] = probability(zero_features_[step.feature] + zero_samples_[t] +
                         zero_neighbourhoods_[near[t]].value);
    }
    Members others;
    PerSample<std::int32_t> errors{};
    for (std::size_t t = 0; t < step.size; ++t) {
      std::uint8_t& digit = step.digits[t][step.feature];
      const bool is_zero = coder.decide(p[t], digit == 1);
      digit = is_zero ? 1 : digit;
      errors[t] = error_of(is_zero, p[t]);
      others.list[others.count] = static_cast<std::uint8_t>(t);
      others.count += is_zero ? 0 : 1;
    }
    learn_zeros(step, errors, near);
    return others;
  }

  // kPlus: the digit of +1. That of −1 is 0.
  template <std::uint8_t kPlus, typename Coder>
  void code_signs(Coder& coder, const Step& step, const Members& members) {
    const std::size_t f = step.feature;
    PerSample<std::int32_t> sums;
    table_.dot_signs(weights_of(f), inputs_of(0), stride_, padded(f), sums.data());
    PerSample<std::uint32_t> p;
    for (std::size_t t = 0; t < kStepSamples; ++t) {
      const auto sum = static_cast<std::int32_t>((std::int64_t{strength_} * sums[t]) >> 16U);
      p[t] = probability(sum + sign_features_[f] + sign_samples_[t]);
    }
    PerSample<std::int32_t> errors{};
    for (std::size_t i = 0; i < members.count; ++i) {
      const std::size_t t = members.list[i];
      std::uint8_t& digit = step.digits[t][f];
      const bool is_plus = coder.decide(p[t], digit == kPlus);
      digit = is_plus ? kPlus : 0;
      errors[t] = error_of(is_plus, p[t]);
    }
    learn_signs(step, errors, sums);
    for (std::size_t t = 0; t < kStepSamples; ++t)  // an error has the sign of its outcome
      inputs_of(t)[f] = static_cast<std::int16_t>((errors[t] > 0) - (errors[t] < 0));
  }

  // A bias with a rate that falls with the number of errors it has learned from.
  struct CountedBias {
    std::int32_t value = 0;
    std::size_t seen = 0;
  };
  struct alignas(64) Line {
    std::int16_t words[kernels::kSignStep];
  };
  static std::size_t lines(std::size_t words) {
    return (words + kernels::kSignStep - 1) / kernels::kSignStep;
  }
  static std::size_t padded(std::size_t words) { return lines(words) * kernels::kSignStep; }
  std::int16_t* weights_of(std::size_t f) { return weights_[first_line_[f]].words; }
  std::int16_t* inputs_of(std::size_t t) {
    return inputs_[t * (stride_ / kernels::kSignStep)].words;
  }

  const kernels::KernelTable& table_;
  const std::uint16_t* probabilities_;  // of t = 0
  bool is_trits_;
  bool is_tall_;
  std::size_t num_samples_;
  std::size_t num_features_;
  std::size_t stride_;  // of inputs

  std::int32_t strength_ = kStrengthOne;  // in 2^-16
  std::array<CountedBias, 81> zero_neighbourhoods_{};
  PerSample<std::int32_t> zero_samples_{};
  PerSample<std::int32_t> sign_samples_{};
  std::vector<std::int32_t> zero_features_;
  std::vector<std::int32_t> sign_features_;
  std::vector<std::size_t> first_line_;  // of a feature's weights: one per feature before it
  std::vector<Line> weights_;            // 0 where they fill up a line
  std::vector<Line> inputs_;             // x of the samples of the step; 0 where not yet known
};

}  // namespace bankai::packer
