#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/scalar_math.h"

namespace bankai::model {

// Block by block: only a block that holds a larger logit is searched for its place.
TokenId greedy_token(std::span<const float> logits) {
  constexpr std::size_t kBlock = 1024;
  constexpr std::size_t kLanes =
      16;  // independent maxima, which the compiler can keep in registers
  std::size_t best = 0;
  for (std::size_t first = 0; first < logits.size(); first += kBlock) {
    const std::span<const float> block =
        logits.subspan(first, std::min(kBlock, logits.size() - first));
    float largest[kLanes];
    std::fill_n(largest, kLanes, logits[best]);
    std::size_t i = 0;
    for (; i + kLanes <= block.size(); i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        largest[lane] = block[i + lane] > largest[lane] ? block[i + lane] : largest[lane];
    for (; i < block.size(); ++i) largest[0] = block[i] > largest[0] ? block[i] : largest[0];
    const float top = *std::max_element(largest, largest + kLanes);
    if (top > logits[best])
      best = first +
             static_cast<std::size_t>(std::find(block.begin(), block.end(), top) - block.begin());
  }
  return static_cast<TokenId>(best);
}

// The top_k likeliest tokens, or all, in descending order. One pass: almost every logit of a large
// vocabulary is below the least of those kept so far.
void Sampler::collect_likeliest(std::span<const float> logits) {
  const auto likelier = [](const Choice& a, const Choice& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const std::size_t count = options_.top_k > 0 ? options_.top_k : logits.size();
  choices_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Sorting needs an order, and NaN has none.
    const float logit = std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i];
    if (choices_.size() == count) {
      if (!(logit > choices_.front().logit)) continue;  // of equals the first stays
      std::pop_heap(choices_.begin(), choices_.end(), likelier);
      choices_.pop_back();
    }
    choices_.push_back({static_cast<TokenId>(i), logit, 0.0});
    if (count < logits.size()) std::push_heap(choices_.begin(), choices_.end(), likelier);
  }
  std::sort(choices_.begin(), choices_.end(), likelier);
}

TokenId Sampler::sample(std::span<const float> logits, std::uint64_t step) {
  if (options_.temperature <= 0.0) return greedy_token(logits);
  collect_likeliest(logits);
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
