#include "model/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"
#include "tests/model/forward_checks.h"

namespace bankai::model {
namespace {

// Everything kept, so that a test can switch one filter on.
SamplingOptions open_options() { return {1.0, 0, 1.0, 0.0, 1}; }

std::vector<float> random_logits(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> logits;
  for (std::size_t i = 0; i < count; ++i)
    logits.push_back(static_cast<float>(8.0 * rng.uniform(i) - 4.0));
  return logits;
}

std::map<TokenId, std::size_t> draw(const SamplingOptions& options,
                                    const std::vector<float>& logits, std::size_t draws) {
  Sampler sampler(best_kernels(), options);
  std::map<TokenId, std::size_t> counts;
  for (std::size_t step = 0; step < draws; ++step) ++counts[sampler.sample(logits, step)];
  return counts;
}

TEST(Sampler, GreedyTakesTheLikeliestAndTheLowestIdAmongEquals) {
  EXPECT_EQ(greedy_token(std::vector<float>{-3.0F, 2.0F, 1.0F, 2.0F}), 1);
  EXPECT_EQ(greedy_token(std::vector<float>{5.0F}), 0);
  SamplingOptions options = open_options();
  options.temperature = 0.0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> logits = random_logits(300, seed);
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(greedy_token(logits), best);
    EXPECT_EQ(Sampler(best_kernels(), options).sample(logits, seed), best);
  }
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheTemperature) {
  constexpr std::size_t kDraws = 40000;
  const std::vector<float> logits = {1.0F, -1.0F, 0.5F, 2.0F, 0.0F};
  for (const double temperature : {0.5, 1.0, 3.0}) {
    SamplingOptions options = open_options();
    options.temperature = temperature;
    auto counts = draw(options, logits, kDraws);
    double total = 0.0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit) / temperature);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double p = std::exp(static_cast<double>(logits[i]) / temperature) / total;
      // Five standard deviations.
      EXPECT_NEAR(static_cast<double>(counts[static_cast<TokenId>(i)]), p * kDraws,
                  5.0 * std::sqrt(p * (1.0 - p) * kDraws))
          << "token " << i << " at temperature " << temperature;
    }
  }
}

TEST(Sampler, IsAFunctionOfSeedStepAndLogits) {
  const std::vector<float> logits = random_logits(100, 1);
  SamplingOptions options = open_options();
  options.temperature = 5.0;
  Sampler first(best_kernels(), options);
  Sampler second(best_kernels(), options);
  std::vector<TokenId> forward, backward;
  for (std::uint64_t step = 0; step < 50; ++step) forward.push_back(first.sample(logits, step));
  for (std::uint64_t step = 50; step-- > 0;) backward.push_back(second.sample(logits, step));
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  options.seed = 2;
  Sampler other(best_kernels(), options);
  std::vector<TokenId> different;
  for (std::uint64_t step = 0; step < 50; ++step) different.push_back(other.sample(logits, step));
  EXPECT_NE(forward, different);
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  const std::vector<float> logits = random_logits(50, 3);
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](TokenId a, TokenId b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  SamplingOptions options = open_options();
  options.temperature = 100.0;  // nearly uniform among those kept
  for (const std::size_t k : {1U, 2U, 7U, 49U, 50U, 1000U, 0U}) {
    options.top_k = k;
    const auto counts = draw(options, logits, 4000);
    const std::size_t kept = k == 0 ? 50 : std::min<std::size_t>(k, 50);
    EXPECT_EQ(counts.size(), kept) << k;
    for (std::size_t i = 0; i < kept; ++i) EXPECT_TRUE(counts.contains(order[i])) << k;
  }
}

TEST(Sampler, TopKTakesTheLowestIdsAmongEquals) {
  SamplingOptions options = open_options();
  options.top_k = 3;
  const auto counts = draw(options, std::vector<float>(10, 1.5F), 500);
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts.rbegin()->first, 2);
}

TEST(Sampler, LogitsThatAreNoNumbersAreNotDrawn) {
  std::vector<float> logits = random_logits(1000, 3);
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (i % 3 != 0) logits[i] = std::numeric_limits<float>::quiet_NaN();
  SamplingOptions options = open_options();
  EXPECT_EQ(greedy_token(std::vector<float>{logits[1], -2.0F, -1.0F}), 2);
  for (const std::size_t k : {0U, 5U}) {
    options.top_k = k;
    for (const auto& [token, count] : draw(options, logits, 500)) EXPECT_EQ(token % 3, 0) << k;
    EXPECT_EQ(draw(options, std::vector<float>(50, logits[1]), 1).size(), 1U);
  }
}

TEST(Sampler, TopPKeepsTheTokenThatCrossesIt) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const auto logit = [](double p) { return static_cast<float>(std::log(p)); };
  const std::vector<float> logits = {logit(0.125), logit(0.5), logit(0.125), logit(0.25)};
  SamplingOptions options = open_options();
  const auto kept = [&](double top_p) {
    options.top_p = top_p;
    return draw(options, logits, 2000).size();
  };
  EXPECT_EQ(kept(0.0), 1U);
  EXPECT_EQ(kept(0.49), 1U);
  EXPECT_EQ(kept(0.51), 2U);
  EXPECT_EQ(kept(0.74), 2U);
  EXPECT_EQ(kept(0.76), 3U);
  EXPECT_EQ(kept(0.99), 4U);
  EXPECT_EQ(kept(1.0), 4U);
}

TEST(Sampler, MinPIsRelativeToTheLikeliestAndComesBeforeTheTemperature) {
  const auto logit = [](double p) { return static_cast<float>(std::log(p)); };
  const std::vector<float> logits = {logit(0.5), logit(0.25), logit(0.125), logit(0.0625)};
  for (const double temperature : {0.7, 10.0}) {
    SamplingOptions options = open_options();
    options.temperature = temperature;
    const auto kept = [&](double min_p) {
      options.min_p = min_p;
      return draw(options, logits, 3000).size();
    };
    EXPECT_EQ(kept(0.12), 4U);
    EXPECT_EQ(kept(0.13), 3U);
    EXPECT_EQ(kept(0.26), 2U);
    EXPECT_EQ(kept(1.0), 1U);
  }
}

// More tokens than are looked at first: a few likely ones, and flat.
TEST(Sampler, TopPOfALargeVocabularyIsThatOfSortingAllOfIt) {
  for (const double spread : {30.0, 0.01}) {
    std::vector<float> logits = random_logits(20000, 5);
    for (float& logit : logits)
      logit = static_cast<float>(spread / 8.0 * static_cast<double>(logit));
    std::vector<double> weights;
    for (const float logit : logits) weights.push_back(std::exp(static_cast<double>(logit)));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::sort(weights.rbegin(), weights.rend());
    std::size_t kept = 0;
    for (double mass = 0.0; mass < 0.5 * total; ++kept) mass += weights[kept];
    SamplingOptions options = open_options();
    options.top_p = 0.5;
    options.temperature = 50.0;
    const double least = std::log(weights[kept - 1]) - 1e-5;
    std::size_t seen_low = 0;
    for (const auto& [token, count] : draw(options, logits, 300)) {
      const auto logit = static_cast<double>(logits[static_cast<std::size_t>(token)]);
      EXPECT_GE(logit, least) << spread;
      seen_low += logit < std::log(weights[kept / 2]) ? 1U : 0U;
    }
    EXPECT_GT(seen_low, 50U) << "the lower half of those kept is drawn too";
  }
}

TEST(Sampler, EveryTableDrawsTheSame) {
  const std::vector<float> logits = random_logits(5000, 6);
  for (const std::size_t k : {0U, 40U})
    for (const double top_p : {0.9, 1.0})
      for (std::uint64_t step = 0; step < 5; ++step) {
        const SamplingOptions options{1.0, k, top_p, 0.01, 3};
        const TokenId expected = Sampler(best_kernels(), options).sample(logits, step);
        for (const kernels::KernelTable* table : kernels::all_kernels())
          if (kernels::is_supported(*table)) {
            EXPECT_EQ(Sampler(*table, options).sample(logits, step), expected);
          }
      }
}

TEST(Sampler, EveryDrawIsAToken) {
  SamplingOptions options;  // the defaults
  Sampler sampler(best_kernels(), options);
  const std::vector<float> wild = {std::numeric_limits<float>::lowest(), 0.0F,
                                   std::numeric_limits<float>::max(),
                                   -std::numeric_limits<float>::infinity()};
  for (std::uint64_t step = 0; step < 100; ++step) EXPECT_EQ(sampler.sample(wild, step), 2);
}

}  // namespace
}  // namespace bankai::model
