#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bankai::model {

// Block by block: only a block that holds a larger logit is searched for its place.
TokenId greedy_token(std::span<const float> logits) {
  constexpr std::size_t kBlock = 1024;
  constexpr std::size_t kLanes = 16;  // independent maxima, for which there are registers
  std::size_t best = 0;
  float best_logit = -std::numeric_limits<float>::infinity();
  for (std::size_t first = 0; first < logits.size(); first += kBlock) {
    const std::span<const float> block =
        logits.subspan(first, std::min(kBlock, logits.size() - first));
    float largest[kLanes];
    std::fill_n(largest, kLanes, best_logit);
    std::size_t i = 0;
    for (; i + kLanes <= block.size(); i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        largest[lane] = block[i + lane] > largest[lane] ? block[i + lane] : largest[lane];
    for (; i < block.size(); ++i) largest[0] = block[i] > largest[0] ? block[i] : largest[0];
    const float top = *std::max_element(largest, largest + kLanes);
    if (!(top > best_logit)) continue;
    best_logit = top;
    best = first +
           static_cast<std::size_t>(std::find(block.begin(), block.end(), top) - block.begin());
  }
  return static_cast<TokenId>(best);
}

// The `count` likeliest tokens in descending order. One pass: almost every logit of a large
// vocabulary is below the least of those kept so far.
void Sampler::collect_likeliest(std::span<const float> logits, std::size_t count) {
  const auto likelier = [](const Choice& a, const Choice& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  choices_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Sorting needs an order, and NaN has none.
    const float logit = std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i];
    if (choices_.size() == count) {
      if (!(logit > choices_.front().logit)) continue;  // of equals the first stays
      std::pop_heap(choices_.begin(), choices_.end(), likelier);
      choices_.pop_back();
    }
    choices_.push_back({static_cast<TokenId>(i), logit, 0.0F});
    if (count < logits.size()) std::push_heap(choices_.begin(), choices_.end(), likelier);
  }
  std::sort(choices_.begin(), choices_.end(), likelier);
}

// Sets the weights of the choices; returns their sum.
double Sampler::weigh(double temperature) {
  weights_.clear();
  for (const Choice& choice : choices_) {
    const double relative = static_cast<double>(choice.logit) - static_cast<double>(largest_);
    weights_.push_back(static_cast<float>(relative / temperature));
  }
  table_.exponentials(weights_.data(), weights_.size());  // the likeliest is always among them
  double sum = 0.0;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    choices_[i].weight = weights_[i];
    sum += static_cast<double>(weights_[i]);
  }
  return sum;
}

// Cuts sorted and weighed choices by top-p and min-p; `total` is the weight of all tokens that
// count. False if the cut lies behind the last choice.
bool Sampler::keep_top_p(double total) {
  std::size_t kept = 0;
  for (double mass = 0.0; kept < choices_.size(); ++kept) {
    const auto weight = static_cast<double>(choices_[kept].weight);
    if (kept > 0 && (mass >= options_.top_p * total || weight < options_.min_p)) {
      choices_.resize(kept);
      return true;
    }
    mass += weight;
  }
  return false;
}

void Sampler::keep_of_top_k(std::span<const float> logits) {
  collect_likeliest(logits, options_.top_k);
  keep_top_p(weigh(1.0));
}

// Without top-k. Sorting a whole vocabulary would take longer than the model: top-p and min-p
// mostly leave a few of the likeliest, and without top-p no order is needed.
void Sampler::keep_of_all(std::span<const float> logits) {
  if (options_.top_p < 1.0) {
    const double total = table_.sum_exp(logits.data(), logits.size(), largest_);
    for (std::size_t count = 1024; count < logits.size(); count *= 8) {
      collect_likeliest(logits, count);
      weigh(1.0);
      if (keep_top_p(total)) return;
    }
    collect_likeliest(logits, logits.size());
    keep_top_p(weigh(1.0));
    return;
  }
  // A bound that rounding cannot bring above a token that is kept; the weights decide.
  const double least = options_.min_p > 0.0
                           ? static_cast<double>(largest_) + std::log(options_.min_p) - 1e-3
                           : -std::numeric_limits<double>::infinity();
  choices_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (static_cast<double>(logits[i]) >= least)
      choices_.push_back({static_cast<TokenId>(i), logits[i], 0.0F});
  weigh(1.0);
  std::erase_if(choices_, [&](const Choice& choice) {
    return static_cast<double>(choice.weight) < options_.min_p;
  });
}

TokenId Sampler::sample(std::span<const float> logits, std::uint64_t step) {
  const TokenId likeliest = greedy_token(logits);
  if (options_.temperature <= 0.0) return likeliest;
  largest_ = logits[static_cast<std::size_t>(likeliest)];
  if (options_.top_k > 0)
    keep_of_top_k(logits);
  else
    keep_of_all(logits);
  double remaining = rng_.uniform(step) * weigh(options_.temperature);
  for (const Choice& choice : choices_)
    if ((remaining -= static_cast<double>(choice.weight)) < 0.0) return choice.token;
  return choices_.empty() ? likeliest : choices_.back().token;
}

}  // namespace bankai::model
