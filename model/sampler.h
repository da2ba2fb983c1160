// Choosing the next token from logits: greedy, or drawn after top-k, top-p, min-p and temperature.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/kernel_table.h"
#include "model/tokenizer.h"

namespace bankai::model {

struct SamplingOptions {
  double temperature = 0.8;  // 0 is greedy
  std::size_t top_k = 40;    // 0 keeps all
  double top_p = 0.95;       // 1 keeps all; the token that crosses it is kept
  double min_p = 0.05;       // relative to the likeliest token; 0 keeps all
  std::uint64_t seed = 42;
};

// The likeliest token; the lowest id among equals.
TokenId greedy_token(std::span<const float> logits);

// Filters act in the order top-k, top-p, min-p, then the temperature is applied and a token drawn.
// The draw is a function of (seed, step) and the logits alone. NaN counts as the least likely.
class Sampler {
 public:
  Sampler(const kernels::KernelTable& table, const SamplingOptions& options)
      : table_(table), options_(options), rng_(options.seed) {}
  TokenId sample(std::span<const float> logits, std::uint64_t step);

 private:
  struct Choice {
    TokenId token;
    float logit;
    float weight;  // relative to the likeliest
  };

  void keep_of_top_k(std::span<const float> logits);
  void keep_of_all(std::span<const float> logits);
  void collect_likeliest(std::span<const float> logits, std::size_t count);
  double weigh(double temperature);
  bool keep_top_p(double total);

  const kernels::KernelTable& table_;
  SamplingOptions options_;
  CounterRng rng_;
  float largest_ = 0.0F;  // logit
  std::vector<Choice> choices_;
  std::vector<float> weights_;  // scratch of weigh
};

}  // namespace bankai::model
