#include "packer/plan_exchange.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/counter_rng.h"

namespace bankai::packer {
namespace {

// Each option has three quarters of the bytes of the one before; losses grow faster and faster.
TensorOptions tensor_of(std::uint64_t bytes, double loss, std::size_t count) {
  TensorOptions tensor;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<double>(i);
    tensor.options.push_back({.step = {}, .bytes = bytes, .estimate = 0.0, .loss = loss * at * at});
    bytes = bytes * 3 / 4;
  }
  return tensor;
}

std::vector<TensorOptions> three_tensors() {
  return {tensor_of(4096, 1.0, 5), tensor_of(2048, 0.25, 4), tensor_of(8192, 0.5, 3)};
}

TEST(StepExchange, StepsAreTheNextOnesAndEndAtTheEnds) {
  const auto options = three_tensors();
  const auto down = step_exchange(options, {1, 3, 0}, {0, 1}, false);
  ASSERT_TRUE(down.has_value());
  ASSERT_EQ(down->options.size(), 1U);  // the other one is at its end
  EXPECT_EQ(down->options[0], (std::pair<std::size_t, std::size_t>{0, 2}));
  EXPECT_DOUBLE_EQ(down->bytes, 3072.0 - 2304.0);
  EXPECT_DOUBLE_EQ(down->single, 3.0);
  const auto up = step_exchange(options, {1, 3, 0}, {0, 1, 2}, true);
  ASSERT_TRUE(up.has_value());
  ASSERT_EQ(up->options.size(), 2U);
  EXPECT_DOUBLE_EQ(up->single, -1.0 - 0.25 * 5.0);
  EXPECT_FALSE(step_exchange(options, {0, 0, 0}, {0, 1, 2}, true).has_value());
}

TEST(StepExchange, SmallStepsAreTakenTogether) {
  TensorOptions tensor;
  for (const std::uint64_t bytes : {1000U, 990U, 970U, 930U, 850U})
    tensor.options.push_back({.step = {},
                              .bytes = bytes,
                              .estimate = 0.0,
                              .loss = std::pow(1000.0 - double(bytes), 2.0)});
  const auto exchange = step_exchange({tensor}, {0}, {0}, false);
  ASSERT_TRUE(exchange.has_value());
  EXPECT_EQ(exchange->options[0].second, 3U);
}

// The best of all combinations of an exchange up, one down or none, for each tensor.
double best_of_all(const std::vector<TensorOptions>& options, const std::vector<std::size_t>& plan,
                   const std::vector<Exchange>& exchanges, std::uint64_t bytes) {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t set = 0; set < (std::size_t{1} << exchanges.size()); ++set) {
    std::vector<std::size_t> chosen = plan;
    double change = 0.0;
    bool is_twice = false;
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      if ((set >> i & 1U) == 0) continue;
      const auto [tensor, option] = exchanges[i].options[0];
      is_twice = is_twice || chosen[tensor] != plan[tensor];
      chosen[tensor] = option;
      change += exchanges[i].change;
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < options.size(); ++i) sum += options[i].options[chosen[i]].bytes;
    if (!is_twice && sum <= bytes) best = std::min(best, change);
  }
  return best;
}

TEST(BestExchange, FitsAndComesNearTheBestOfAll) {
  const auto options = three_tensors();
  const std::vector<std::size_t> plan{2, 1, 1};
  const CounterRng rng(5);
  std::uint64_t draws = 0;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<Exchange> exchanges;
    for (const bool is_up : {true, false})
      for (std::size_t tensor = 0; tensor < options.size(); ++tensor) {
        Exchange exchange = *step_exchange(options, plan, {tensor}, is_up);
        exchange.change =
            exchange.single * (0.25 + static_cast<double>(rng.below(draws++, 8)) / 4.0);
        exchanges.push_back(exchange);
      }
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < options.size(); ++i) bytes += options[i].options[plan[i]].bytes;
    for (const std::uint64_t slack : {0U, 700U, 3000U}) {
      const auto found = best_exchange(options, plan, exchanges, bytes + slack, 0.0);
      ASSERT_TRUE(found.has_value());
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < options.size(); ++i)
        sum += options[i].options[found->options[i]].bytes;
      EXPECT_LE(sum, bytes + slack);
      EXPECT_LE(found->change(), 0.0);
      const double best = best_of_all(options, plan, exchanges, bytes + slack);
      EXPECT_GE(found->change(), best - 1e-9);
      EXPECT_LE(found->change(), best + 0.35 * std::abs(best) + 0.75);
    }
  }
}

TEST(BestExchange, CautionChangesLess) {
  const auto options = three_tensors();
  const std::vector<std::size_t> plan{2, 1, 1};
  Exchange up = *step_exchange(options, plan, {0}, true);
  Exchange down = *step_exchange(options, plan, {2}, false);
  up.change = -1.0;
  down.change = 0.8;
  const std::uint64_t bytes = 2304 + 1536 + 6144;
  const auto bold = best_exchange(options, plan, {up, down}, bytes, 0.0);
  EXPECT_EQ(bold->options, (std::vector<std::size_t>{1, 1, 2}));
  EXPECT_NEAR(bold->change(), -0.2, 1e-12);
  EXPECT_EQ(best_exchange(options, plan, {up, down}, bytes, 1.0)->options, plan);
  EXPECT_FALSE(best_exchange(options, plan, {up, down}, 4096, 0.0).has_value());
}

}  // namespace
}  // namespace bankai::packer
