#include "packer/budget_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/dispatch.h"
#include "packer/tensor_coding.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kDense = 16;  // budgets of a curve

Result<std::uint64_t> coded_size(const model::GgufTensor& tensor, const LossyTensor& changed) {
  BANKAI_ASSIGN_OR_RETURN(const CodedTensor coded,
                          packed_tensor_size(changed.type, tensor.dims, changed.bytes, 1));
  return coded.bytes();
}

struct Rig {
  std::vector<std::byte> bytes;
  std::unique_ptr<model::Model> model;
  PackOptions options;
  std::vector<PackedTensor> exact;
  std::unique_ptr<Planner> planner;
  std::unique_ptr<BudgetPlanner> budgets;
};

// Tensors of four times `sample_weights` weights are judged by samples.
std::unique_ptr<Rig> make_rig(std::size_t sample_weights, int threads = 1,
                              std::vector<model::TokenId> text = {}) {
  auto rig = std::make_unique<Rig>();
  testing::SmallShape shape;
  shape.types = {kernels::TensorType::kF16, kernels::TensorType::kQ1_0};
  if (!text.empty()) shape.num_layers = 1;
  rig->bytes = testing::small_model_bytes(shape);
  rig->model = model::Model::from_file(model::GgufFile::parse(rig->bytes, "small").value()).value();
  rig->options.threads = threads;
  rig->exact = measure_tensors(pack_source(rig->model->file()).value(), rig->options).value();
  PlanSettings settings;
  settings.forward = model::forward_options(kernels::ActivationMode::kA8, threads);
  settings.sample_weights = sample_weights;
  settings.calibration = std::move(text);
  settings.context = 32;
  settings.max_measurements = 16;
  for (const PackedTensor& tensor : rig->exact) settings.exact_bytes.push_back(tensor.bytes());
  rig->planner = Planner::make(*rig->model, *kernels::select_kernel("").value(),
                               std::move(settings), coded_size, [](const std::string&, double) {})
                     .value();
  rig->budgets = std::make_unique<BudgetPlanner>(
      BudgetPlanner::make(rig->model->file(), *rig->planner, rig->options, rig->exact).value());
  return rig;
}

std::unique_ptr<Rig> measured_rig(int threads) {
  return make_rig(2048, threads, testing::random_tokens(65, 299, 3));
}

// Rigs take a while to make; plans only make their sizes more exact.
Rig& sampled_rig() {
  static const std::unique_ptr<Rig> rig = make_rig(2048);
  return *rig;
}
Rig& coded_rig() {
  static const std::unique_ptr<Rig> rig = make_rig(std::size_t{1} << 17U);
  return *rig;
}

bool has_estimates(const Planner& planner) {
  for (const TensorOptions& tensor : planner.options())
    for (const TensorOption& option : tensor.options)
      if (!option.is_exact_size) return true;
  return false;
}

TEST(BudgetPlanner, PacksHaveThePlannedSizeAndAreNeverOver) {
  EXPECT_TRUE(has_estimates(*sampled_rig().planner));
  EXPECT_FALSE(has_estimates(*coded_rig().planner));
  for (const Rig* const rig : {&sampled_rig(), &coded_rig()}) {
    const std::uint64_t least = rig->budgets->smallest_bytes();
    const std::uint64_t most =
        measure_pack(pack_source(rig->model->file()).value(), rig->options)->total_bytes;
    ASSERT_LT(least, most / 2);
    for (std::uint64_t i = 0; i <= 4; ++i) {
      const std::uint64_t budget = least + (most - least) * i / 4;
      const auto plan = rig->budgets->plan(budget);
      ASSERT_TRUE(plan.ok()) << plan.error().message;
      EXPECT_LE(plan->ledger.total_bytes, budget);
      EXPECT_TRUE(rig->planner->unsettled_tensors(plan->plan).empty());
      const testing::TempDir folder;
      const auto written = write_pack(rig->budgets->source(plan->plan).value(), rig->options,
                                      folder.path("pack"), Overwrite::kRefuse);
      ASSERT_TRUE(written.ok()) << written.error().message;
      EXPECT_EQ(written->total_bytes, plan->ledger.total_bytes);
    }
  }
}

TEST(BudgetPlanner, SamplesComeNearTheSizes) {
  for (std::size_t i = 0; i < coded_rig().exact.size(); ++i) {
    const auto& near = sampled_rig().planner->options()[i].options;
    const auto& exact = coded_rig().planner->options()[i].options;
    ASSERT_EQ(near.size(), exact.size());
    for (std::size_t k = 0; k < near.size(); ++k)
      EXPECT_NEAR(static_cast<double>(near[k].bytes), static_cast<double>(exact[k].bytes),
                  0.25 * static_cast<double>(exact[k].bytes));
  }
}

TEST(BudgetPlanner, WhatCannotBeReachedNamesTheSmallestSize) {
  const auto plan = sampled_rig().budgets->plan(100);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kNoSolution);
  EXPECT_NE(plan.error().message.find(std::to_string(sampled_rig().budgets->smallest_bytes())),
            std::string::npos)
      << plan.error().message;
}

// Plans are chosen again whenever sizes become exact, and the best of all that fit is given.
TEST(BudgetPlanner, DenseCurvesNeverRiseAndDoNotDependOnThreads) {
  const std::unique_ptr<Rig> one = measured_rig(1), three = measured_rig(3);
  ASSERT_TRUE(has_estimates(*one->planner));
  const std::uint64_t least = one->budgets->smallest_bytes();
  const std::uint64_t most =
      measure_pack(pack_source(one->model->file()).value(), one->options)->total_bytes;
  double last = 1e300;
  for (std::uint64_t i = 0; i < kDense; ++i) {
    const std::uint64_t budget = least + (most - least) * i / kDense;
    const auto plan = one->budgets->plan(budget), same = three->budgets->plan(budget);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    ASSERT_TRUE(same.ok()) << same.error().message;
    EXPECT_LE(plan->ledger.total_bytes, budget);
    EXPECT_TRUE(one->planner->unsettled_tensors(plan->plan).empty());
    EXPECT_LE(std::max(*plan->plan.measured, 0.0), last);
    last = std::max(*plan->plan.measured, 0.0);
    EXPECT_EQ(plan->plan.options, same->plan.options);
    EXPECT_EQ(plan->plan.measured, same->plan.measured);
    EXPECT_EQ(plan->plan.predicted, same->plan.predicted);
    EXPECT_EQ(plan->ledger.total_bytes, same->ledger.total_bytes);
  }
  // Sizes that have become exact may have moved the smallest plan, so it is looked for again.
  const auto none = one->budgets->plan(100);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::kNoSolution);
  const std::uint64_t smallest = one->budgets->smallest_bytes();
  EXPECT_NE(none.error().message.find(std::to_string(smallest) + " bytes"), std::string::npos);
  EXPECT_FALSE(one->budgets->plan(smallest - 1).ok());
  EXPECT_TRUE(one->budgets->plan(smallest).ok());
}

TEST(BudgetPlanner, TheListOfStepsDoesNotDependOnThreads) {
  const Rig& one = sampled_rig();
  const std::unique_ptr<Rig> three = make_rig(2048, 3);
  EXPECT_EQ(one.budgets->smallest_bytes(), three->budgets->smallest_bytes());
  for (std::size_t i = 0; i < one.exact.size(); ++i) {
    const auto& a = one.planner->options()[i].options;
    const auto& b = three->planner->options()[i].options;
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t k = 0; k < a.size(); ++k) EXPECT_EQ(a[k].estimate, b[k].estimate);
  }
}

}  // namespace
}  // namespace bankai::packer
