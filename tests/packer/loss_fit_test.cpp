#include "packer/loss_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "packer/plan_options.h"

namespace bankai::packer {
namespace {

TEST(LossFit, WithoutPointsTheSumItself) {
  EXPECT_EQ(LossFit().predict(0.25), 0.25);
  EXPECT_EQ(LossFit().predict(0.0), 0.0);
}

TEST(LossFit, GoesThroughItsPointsAndPowersBetweenThem) {
  const auto law = [](double sum) { return 0.7 * std::pow(sum, 1.5); };
  const LossFit fit({{4.0, law(4.0)}, {0.01, law(0.01)}, {1.0, law(1.0)}});
  for (const double sum : {0.01, 0.03, 0.2, 1.0, 2.0, 4.0})
    EXPECT_NEAR(fit.predict(sum), law(sum), 1e-12 * law(4.0));
  EXPECT_NEAR(fit.predict(0.005), law(0.01) / 2.0, 1e-12);
  EXPECT_NEAR(fit.predict(8.0), law(4.0) * 2.0, 1e-12);
}

TEST(LossFit, NeverFallsAsTheSumGrows) {
  const LossFit fit({{0.1, -0.01}, {0.2, 0.05}, {0.3, 0.03}, {0.5, 0.2}, {0.6, 0.1}, {2.0, 1.0}});
  double last = 0.0;
  for (double sum = 0.01; sum < 3.0; sum += 0.01) {
    EXPECT_GE(fit.predict(sum), last);
    last = fit.predict(sum);
  }
  EXPECT_GT(last, 0.0);
}

TEST(PlanOptions, LossesAreEstimatesTimesTheInterpolatedRatio) {
  TensorOptions tensor;
  for (const double estimate : {0.0, 0.5, 1.0, 2.0, 4.0, 8.0})
    tensor.options.push_back({{}, 100, estimate, 0.0});
  correct_losses(tensor, {{4.0, 8.0}, {1.0, 2.0}});
  const double expected[] = {0.0, 1.0, 2.0, 2.0 * 4.0, 4.0 * 8.0, 8.0 * 8.0};
  for (std::size_t i = 0; i < tensor.options.size(); ++i)
    EXPECT_NEAR(tensor.options[i].loss, expected[i], 1e-12) << i;
  correct_losses(tensor, {{1.0, -3.0}});
  EXPECT_NEAR(tensor.options[3].loss, 0.1, 1e-12);  // never below a twentieth
  correct_losses(tensor, {});
  EXPECT_EQ(tensor.options[3].loss, 2.0);
}

TEST(PlanOptions, HullLeavesOutWhatIsNeverChosen) {
  TensorOptions tensor;
  tensor.options = {{{}, 100, 0.0, 0.0},
                    {{}, 90, 5.0, 0.0},
                    {{}, 80, 1.0, 0.0},
                    {{}, 85, 2.0, 0.0},
                    {{}, 20, 9.0, 0.0}};
  EXPECT_EQ(hull_options(tensor), (std::vector<std::size_t>{2, 4}));
}

}  // namespace
}  // namespace bankai::packer
