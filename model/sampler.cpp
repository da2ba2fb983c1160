#include "model/sampler.h"

#include <algorithm>

#include "kernels/scalar_math.h"

namespace bankai::model {

TokenId greedy_token(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[best]) best = i;
  return static_cast<TokenId>(best);
}

TokenId Sampler::sample(std::span<const float> logits, std::uint64_t step) {
  if (options_.temperature <= 0.0) return greedy_token(logits);
  choices_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    choices_.push_back({static_cast<TokenId>(i), logits[i], 0.0});
  const auto likelier = [](const Choice& a, const Choice& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  if (options_.top_k > 0 && options_.top_k < choices_.size()) {
    std::partial_sort(choices_.begin(),
                      choices_.begin() + static_cast<std::ptrdiff_t>(options_.top_k),
                      choices_.end(), likelier);
    choices_.resize(options_.top_k);
  } else {
    std::sort(choices_.begin(), choices_.end(), likelier);
  }
  const auto weigh = [&](double temperature) {
    double sum = 0.0;
    for (Choice& choice : choices_) {
      const double relative =
          static_cast<double>(choice.logit) - static_cast<double>(choices_.front().logit);
      sum += choice.weight = kernels::exp_f64(relative / temperature);
    }
    return sum;
  };
  const double total = weigh(1.0);
  std::size_t kept = 0;
  for (double mass = 0.0; kept < choices_.size(); ++kept) {
    if (kept > 0 && (mass >= options_.top_p * total || choices_[kept].weight < options_.min_p))
      break;
    mass += choices_[kept].weight;
  }
  choices_.resize(kept);
  double remaining = rng_.uniform(step) * weigh(options_.temperature);
  for (const Choice& choice : choices_)
    if ((remaining -= choice.weight) < 0.0) return choice.token;
  return choices_.back().token;
}

}  // namespace bankai::model
