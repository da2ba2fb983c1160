#include "packer/plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/mapped_file.h"
#include "kernels/dispatch.h"
#include "packer/entropy.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

// Quick, and as exact as any: the entropy of the bytes.
Result<std::uint64_t> entropy_size(const model::GgufTensor&, const LossyTensor& tensor) {
  return static_cast<std::uint64_t>(std::ceil(byte_entropy_bits(tensor.bytes) / 8.0));
}

struct Rig {
  std::vector<std::byte> bytes;
  std::unique_ptr<model::Model> model;
  std::unique_ptr<Planner> planner;
};

PlanSettings quick_settings(int threads) {
  PlanSettings settings;
  settings.calibration_tokens = 128;
  settings.context = 64;
  settings.max_measurements = 30;
  settings.forward = model::forward_options(kernels::ActivationMode::kA8, threads);
  return settings;
}

std::unique_ptr<Planner> make_planner(model::Model& model, PlanSettings settings) {
  return Planner::make(model, *kernels::select_kernel("").value(), std::move(settings),
                       entropy_size, [](const std::string&, double) {})
      .value();
}

Rig small_rig(const testing::SmallShape& shape, int threads, bool has_text) {
  Rig rig;
  rig.bytes = testing::small_model_bytes(shape);
  rig.model = model::Model::from_file(model::GgufFile::parse(rig.bytes, "small").value()).value();
  PlanSettings settings = quick_settings(threads);
  if (has_text) settings.calibration = testing::random_tokens(100, 299, 3);
  rig.planner = make_planner(*rig.model, std::move(settings));
  return rig;
}

testing::SmallShape mixed_shape() {
  testing::SmallShape shape;
  shape.types = {TensorType::kF16, TensorType::kQ1_0, TensorType::kQ8_0, TensorType::kQ2_0};
  return shape;
}

TEST(Planner, PlansNeverExceedAndTheirSizesAreThoseOfTheirTensors) {
  for (const bool has_text : {false, true}) {
    const Rig rig = small_rig(mixed_shape(), 1, has_text);
    const Planner& planner = *rig.planner;
    const std::uint64_t least = planner.smallest_tensor_bytes();
    const std::uint64_t most = planner.exact_tensor_bytes();
    ASSERT_LT(least, most / 2);
    EXPECT_FALSE(planner.plan(least - 1).has_value());
    EXPECT_TRUE(planner.plan(most)->is_exact());
    EXPECT_FALSE(planner.plan(most - 1)->is_exact());
    double last = 1e300;
    for (std::uint64_t i = 0; i <= 20; ++i) {
      const std::uint64_t budget = least + (most - least) * i / 20;
      const std::optional<Plan> plan = planner.plan(budget);
      ASSERT_TRUE(plan.has_value());
      EXPECT_LE(plan->tensor_bytes, budget);
      EXPECT_LE(plan->predicted, last * 1.0001);
      last = plan->predicted;
      std::uint64_t sum = 0;
      const auto& tensors = rig.model->file().tensors();
      for (std::size_t t = 0; t < tensors.size(); ++t) {
        const LossyTensor changed = planner.changed_tensor(t, plan->steps[t]).value();
        sum += entropy_size(tensors[t], changed).value();
      }
      EXPECT_EQ(sum, plan->tensor_bytes);
    }
  }
}

TEST(Planner, PlansDoNotDependOnThreads) {
  Rig one = small_rig(mixed_shape(), 1, true), two = small_rig(mixed_shape(), 2, true);
  const std::uint64_t budget =
      (one.planner->exact_tensor_bytes() + one.planner->smallest_tensor_bytes()) / 2;
  Plan a = *one.planner->plan(budget), b = *two.planner->plan(budget);
  ASSERT_TRUE(one.planner->measure(a).ok());
  ASSERT_TRUE(two.planner->measure(b).ok());
  EXPECT_EQ(a.predicted, b.predicted);
  EXPECT_EQ(a.measured, b.measured);
  for (std::size_t i = 0; i < a.steps.size(); ++i)
    EXPECT_EQ(step_name(a.steps[i]), step_name(b.steps[i]));
}

// The plan after exchanges, which is to be better.
Plan exchanged_plan(Planner& planner, const Plan& base) {
  EXPECT_TRUE(planner.measure_exchanges(base).ok());
  for (const double caution : {0.0, 0.5, 1.0}) {
    Plan plan = *planner.exchanged(base, base.tensor_bytes, caution);
    EXPECT_LE(plan.tensor_bytes, base.tensor_bytes);
    EXPECT_TRUE(planner.measure_exchanged(base, plan).ok());
    if (*plan.measured < *base.measured) return plan;
  }
  return base;
}

// A trained model: what is predicted comes true, and more bytes lose less.
TEST(Planner, PredictsWhatIsMeasuredOnTheDemoModel) {
  const auto model = model::Model::load(testing::data_path("demo/bankai-demo-5m.gguf")).value();
  PlanSettings settings = quick_settings(2);
  const MappedFile text =
      MappedFile::open(testing::data_path("demo/text/general.control.txt")).value();
  settings.calibration = model->tokenizer().encode(
      {reinterpret_cast<const char*>(text.bytes().data()), text.bytes().size()});
  settings.calibration_tokens = 384;
  settings.max_measurements = 60;
  const std::unique_ptr<Planner> planner = make_planner(*model, std::move(settings));
  const std::uint64_t least = planner->smallest_tensor_bytes();
  const std::uint64_t most = planner->exact_tensor_bytes();
  double last = 1e300;
  for (const std::uint64_t part : {3U, 6U, 9U}) {
    Plan plan = *planner->plan(least + (most - least) * part / 12);
    ASSERT_TRUE(planner->predict(plan).ok());
    ASSERT_TRUE(planner->measure(plan).ok());
    const double tolerance = 0.25 * std::abs(*plan.measured) + 2.0 * plan.standard_error;
    EXPECT_NEAR(plan.predicted, *plan.measured, tolerance) << part;
    EXPECT_LT(*plan.measured, last + 2.0 * plan.standard_error);
    last = *plan.measured;
    if (part > 3U) continue;
    const Plan better = exchanged_plan(*planner, plan);
    EXPECT_LT(*better.measured, *plan.measured);
    EXPECT_NEAR(better.predicted, *better.measured, 0.25 * *better.measured);
    const std::optional<Plan> best = planner->best_measured(plan.tensor_bytes);
    ASSERT_TRUE(best.has_value());
    EXPECT_LE(*best->measured, *better.measured);
    EXPECT_LE(best->tensor_bytes, plan.tensor_bytes);
    EXPECT_FALSE(planner->best_measured(least - 1).has_value());
  }
}

}  // namespace
}  // namespace bankai::packer
