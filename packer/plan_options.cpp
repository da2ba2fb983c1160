#include "packer/plan_options.h"

#include <algorithm>

#include "kernels/scalar_math.h"

namespace bankai::packer {
namespace {

constexpr double kLeastRatio = 0.05;

// REQUIRES: at least one measurement, ascending in the estimate; estimate > 0.
double ratio_at(const std::vector<StepMeasurement>& measurements, double estimate) {
  const auto above = std::find_if(measurements.begin(), measurements.end(),
                                  [&](const StepMeasurement& m) { return m.estimate >= estimate; });
  if (above == measurements.begin()) return above->ratio;
  const StepMeasurement& low = *(above - 1);
  if (above == measurements.end()) return low.ratio;
  const double along =
      kernels::log_f64(estimate / low.estimate) / kernels::log_f64(above->estimate / low.estimate);
  return low.ratio * kernels::pow_f64(above->ratio / low.ratio, along);
}

}  // namespace

std::vector<std::size_t> hull_options(const TensorOptions& tensor) {
  BudgetItem item;
  for (const TensorOption& option : tensor.options) item.push_back({option.bytes, option.estimate});
  const BudgetCurve curve({item});
  std::vector<std::size_t> hull;
  for (std::size_t i = 0; i < curve.num_points(); ++i)
    if (const std::size_t option = curve.point(i).options[0]; option != 0) hull.push_back(option);
  return hull;
}

void correct_losses(TensorOptions& tensor, std::vector<StepMeasurement> measurements) {
  std::erase_if(measurements, [](const StepMeasurement& m) { return !(m.estimate > 0.0); });
  std::sort(
      measurements.begin(), measurements.end(),
      [](const StepMeasurement& a, const StepMeasurement& b) { return a.estimate < b.estimate; });
  for (StepMeasurement& m : measurements) m.ratio = std::max(m.ratio, kLeastRatio);
  for (TensorOption& option : tensor.options) {
    option.loss = option.estimate;
    if (option.estimate > 0.0 && !measurements.empty())
      option.loss *= ratio_at(measurements, option.estimate);
  }
}

std::vector<BudgetItem> budget_items(const std::vector<TensorOptions>& tensors) {
  std::vector<BudgetItem> items;
  for (const TensorOptions& tensor : tensors) {
    BudgetItem& item = items.emplace_back();
    for (const TensorOption& option : tensor.options) item.push_back({option.bytes, option.loss});
  }
  return items;
}

}  // namespace bankai::packer
