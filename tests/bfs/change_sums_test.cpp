#include "bfs/change_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/dispatch.h"

namespace bankai::bfs {
namespace {

TEST(ChangeSums, are_the_fixed_sums_of_what_was_added) {
  constexpr std::size_t kCount = 150;
  std::vector<float> gains(kCount), factors(kCount), losses(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto x = static_cast<float>(i);
    gains[i] = std::sin(x) * 1e-2F;
    factors[i] = std::cos(x);
    losses[i] = std::sin(3.0F * x) * (i % 7 == 0 ? 300.0F : 1e-3F);
  }
  gains[3] = std::numeric_limits<float>::quiet_NaN();
  losses[4] = gains[3];
  for (const kernels::KernelTable* table : kernels::all_kernels()) {
    if (!kernels::is_supported(*table)) continue;
    ChangeSums sums(kCount + 5);
    sums.add_gains(*table, 5, kCount, gains.data());
    sums.add_gains(*table, 5, kCount, gains.data(), factors.data());
    sums.add_losses(*table, 5, kCount, losses.data());
    for (std::size_t i = 0; i < kCount; ++i) {
      const PredictedChange once = PredictedChange::of(gains[i], losses[i]);
      const PredictedChange again = PredictedChange::of(gains[i] * factors[i], 0.0);
      EXPECT_EQ(sums.change(5 + i).target_gain, once.target_gain + again.target_gain) << i;
      EXPECT_EQ(sums.change(5 + i).control_loss, once.control_loss) << i;
    }
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(sums.change(i).target_gain, 0);
    sums.clear();
    EXPECT_EQ(sums.change(10).target_gain, 0);
    EXPECT_EQ(sums.change(10).control_loss, 0);
  }
}

}  // namespace
}  // namespace bankai::bfs
