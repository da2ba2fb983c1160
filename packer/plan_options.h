// What a plan chooses among: for every tensor its steps, what each of them stores and loses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "packer/budget.h"
#include "packer/lossy_step.h"

namespace bankai::packer {

struct TensorOption {
  LossyStep step;
  std::uint64_t bytes = 0;    // packed
  double estimate = 0.0;      // of the loss, from the weights' errors and their importance
  double loss = 0.0;          // what the choice counts: the estimate, corrected by measurements
  bool is_exact_size = true;  // else `bytes` is what a sample of the rows promises
};

struct TensorOptions {
  std::size_t tensor = 0;  // in the file's list
  TensorRole role = TensorRole::kOther;
  std::vector<TensorOption> options;  // the exact one first; its losses are 0
};

// The options on the lower convex hull of size and estimate, without the exact one: from the least
// loss to the smallest size. Others are never chosen while losses are in proportion to estimates.
std::vector<std::size_t> hull_options(const TensorOptions& tensor);

// A step that was measured, on one tensor or on several of one kind at once.
struct StepMeasurement {
  double estimate = 0.0;  // of the step on this tensor
  double ratio = 0.0;     // measured loss to estimate, of all tensors that were measured at once
};

// Sets the losses of a tensor's options: the estimate times the ratio, which is interpolated
// between the measurements along the logarithm of the estimate. A ratio below 1/20 (rounding noise,
// or a change for the better by chance) counts as 1/20. No measurements: the estimates.
void correct_losses(TensorOptions& tensor, std::vector<StepMeasurement> measurements);

// All tensors' options as items of the choice.
std::vector<BudgetItem> budget_items(const std::vector<TensorOptions>& tensors);

}  // namespace bankai::packer
