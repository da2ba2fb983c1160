#include "packer/plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/format.h"
#include "packer/importance.h"

namespace bankai::packer {
namespace {

kernels::WeightRows rows_of_tensor(const model::GgufTensor& tensor) {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(tensor.type);
  return {tensor.type, reinterpret_cast<const std::uint8_t*>(tensor.data.data()), tensor.rows(),
          tensor.cols(), tensor.cols() / info.block_weights * info.block_bytes};
}

// Σ weight² / number of weights, or 1 if that is 0.
double mean_square(const kernels::WeightRows& rows) {
  double sum = 0.0;
  std::vector<float> values(rows.cols);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    kernels::widen_row(rows, row, values.data());
    for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return sum > 0.0 ? sum / static_cast<double>(rows.rows * rows.cols) : 1.0;
}

}  // namespace

bool Plan::is_exact() const {
  return std::all_of(steps.begin(), steps.end(),
                     [](const LossyStep& step) { return step.is_exact(); });
}

Result<std::unique_ptr<Planner>> Planner::make(model::Model& model,
                                               const kernels::KernelTable& table,
                                               PlanSettings settings, const SizeOfTensor& size_of,
                                               const Progress& progress) {
  std::unique_ptr<Planner> planner(new Planner(model, std::move(settings)));
  planner->importance_.resize(model.file().tensors().size());
  if (!planner->settings_.calibration.empty()) BANKAI_RETURN_IF_ERROR(planner->read_text(table));
  BANKAI_RETURN_IF_ERROR(planner->list_options(size_of, progress));
  if (planner->has_text()) BANKAI_RETURN_IF_ERROR(planner->measure_steps(progress));
  planner->curve_.emplace(budget_items(planner->options_));
  if (planner->has_text()) BANKAI_RETURN_IF_ERROR(planner->measure_path(progress));
  return planner;
}

Status Planner::read_text(const kernels::KernelTable& table) {
  const std::vector<model::TokenId>& text = settings_.calibration;
  if (text.size() < 2)
    return make_error(ErrorCode::kBadInput, "the calibration text has fewer than two tokens");
  const auto measured =
      std::span(text).first(std::min(text.size(), settings_.calibration_tokens + 1));
  const std::vector<model::ScoredSequence> sequences =
      model::perplexity_windows(measured, settings_.context, settings_.context);
  meter_.emplace(exchange_, model_, table, settings_.forward, sequences);
  exact_nll_ = meter_->finish({});
  if (!std::isfinite(exact_nll()))
    return make_error(ErrorCode::kBadInput,
                      "%s: the loss on the calibration text is %g, expected a number",
                      model_.file().path().c_str(), exact_nll());
  const MatrixImportance matrices = measure_importance(model_, table, settings_.forward, sequences);
  std::vector<bool> is_used(model_.parameters().vocabulary);
  for (const model::TokenId token : text) is_used[static_cast<std::size_t>(token)] = true;
  const std::vector<model::GgufTensor>& tensors = model_.file().tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    importance_[i] = tensor_importance(matrices, exchange_, i, tensors[i].rows());
    if (exchange_.role(i) == TensorRole::kTokenTable) importance_[i].is_row_used = is_used;
  }
  return {};
}

Status Planner::list_options(const SizeOfTensor& size_of, const Progress& progress) {
  const std::size_t count = model_.file().tensors().size();
  for (std::size_t tensor = 0; tensor < count; ++tensor) {
    progress("sizes of steps", static_cast<double>(tensor) / static_cast<double>(count));
    Result<TensorOptions> options = options_of(tensor, size_of);
    if (!options.ok())
      return with_context(
          std::move(options).error(),
          model_.file().path() + ": tensor " + quoted(model_.file().tensors()[tensor].name));
    options_.push_back(std::move(options).value());
  }
  return {};
}

Result<TensorOptions> Planner::options_of(std::size_t tensor, const SizeOfTensor& size_of) const {
  const model::GgufTensor& original = model_.file().tensors()[tensor];
  const kernels::WeightRows rows = rows_of_tensor(original);
  TensorOptions result{tensor, exchange_.role(tensor), {}};
  double factor = 1.0;
  for (const LossyStep& step : lossy_steps(rows, result.role, settings_.drop_unused_rows)) {
    TensorOption option{step};
    LossyTensor changed;
    if (step.is_exact()) {
      changed = {original.type, {original.data.begin(), original.data.end()}};
      if (!has_text()) factor = 2.0 / mean_square(rows);
    } else {
      BANKAI_ASSIGN_OR_RETURN(changed, changed_tensor(tensor, step));
      option.estimate = factor * estimated_loss(rows, changed.weights(rows.rows, rows.cols),
                                                importance_[tensor], settings_.forward.threads);
      if (!std::isfinite(option.estimate)) continue;  // as the weights are
    }
    BANKAI_ASSIGN_OR_RETURN(option.bytes, size_of(original, changed));
    option.loss = option.estimate;
    result.options.push_back(option);
  }
  return result;
}

Result<LossyTensor> Planner::changed_tensor(std::size_t tensor, const LossyStep& step) const {
  return apply_step(rows_of_tensor(model_.file().tensors()[tensor]), step, importance_[tensor],
                    settings_.forward.threads);
}

Result<NllChange> Planner::measure_plan(const std::vector<LossyStep>& steps) {
  const auto change = [&](std::size_t tensor) -> Result<std::optional<LossyTensor>> {
    if (steps[tensor].is_exact()) return std::optional<LossyTensor>();
    BANKAI_ASSIGN_OR_RETURN(LossyTensor changed, changed_tensor(tensor, steps[tensor]));
    return std::optional(std::move(changed));
  };
  BANKAI_ASSIGN_OR_RETURN(const std::vector<double> nll, meter_->measure(change));
  ++num_measurements_;
  return compare_nll(exact_nll_, nll);
}

std::vector<LossyStep> Planner::steps_of(const Selection& selection) const {
  std::vector<LossyStep> steps;
  for (std::size_t i = 0; i < options_.size(); ++i)
    steps.push_back(options_[i].options[selection.options[i]].step);
  return steps;
}

std::uint64_t Planner::exact_tensor_bytes() const {
  std::uint64_t bytes = 0;
  for (const TensorOptions& tensor : options_) bytes += tensor.options.front().bytes;
  return bytes;
}

double Planner::exact_nll() const {
  return std::accumulate(exact_nll_.begin(), exact_nll_.end(), 0.0) /
         static_cast<double>(exact_nll_.size());
}

std::optional<Plan> Planner::plan(std::uint64_t tensor_bytes) const {
  Plan plan;
  if (exact_tensor_bytes() <= tensor_bytes) {
    plan.steps.resize(options_.size());
    plan.tensor_bytes = exact_tensor_bytes();
    return plan;
  }
  const std::optional<Selection> choice = curve_->best_within(tensor_bytes);
  if (!choice) return std::nullopt;
  plan.steps = steps_of(*choice);
  plan.tensor_bytes = choice->bytes;
  plan.predicted = fit_.predict(choice->loss);
  return plan;
}

Status Planner::measure(Plan& plan) {
  if (!has_text()) return {};
  BANKAI_ASSIGN_OR_RETURN(const NllChange change, measure_plan(plan.steps));
  plan.measured = change.mean;
  plan.standard_error = change.standard_error;
  return {};
}

}  // namespace bankai::packer
