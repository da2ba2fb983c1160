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

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The targets' loss of the exact model. Errors: kBadInput unless it is finite.
Result<std::vector<double>> exact_loss(NllMeter& meter, const std::string& path, const char* text) {
  std::vector<double> nll = meter.finish({});
  if (const double mean = mean_of(nll); !std::isfinite(mean))
    return make_error(ErrorCode::kBadInput, "%s: the loss on the %s text is %g, expected a number",
                      path.c_str(), text, mean);
  return nll;
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
  if (!planner->settings_.held_out.empty()) BANKAI_RETURN_IF_ERROR(planner->read_held_out(table));
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
  BANKAI_ASSIGN_OR_RETURN(exact_nll_, exact_loss(*meter_, model_.file().path(), "calibration"));
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

Status Planner::read_held_out(const kernels::KernelTable& table) {
  const std::vector<model::TokenId>& text = settings_.held_out;
  if (text.size() < 2)
    return make_error(ErrorCode::kBadInput, "the held-out text has fewer than two tokens");
  held_out_meter_.emplace(exchange_, model_, table, settings_.forward,
                          model::perplexity_windows(text, settings_.context, settings_.context));
  BANKAI_ASSIGN_OR_RETURN(exact_held_out_,
                          exact_loss(*held_out_meter_, model_.file().path(), "held-out"));
  return {};
}

Result<LossyTensor> Planner::changed_tensor(std::size_t tensor, const LossyStep& step) const {
  return apply_step(rows_of_tensor(model_.file().tensors()[tensor]), step, importance_[tensor],
                    settings_.forward.threads);
}

NllMeter::Changes Planner::changes_of(const std::vector<LossyStep>& steps) const {
  return [this, &steps](std::size_t tensor) -> Result<std::optional<LossyTensor>> {
    if (steps[tensor].is_exact()) return std::optional<LossyTensor>();
    BANKAI_ASSIGN_OR_RETURN(LossyTensor changed, changed_tensor(tensor, steps[tensor]));
    return std::optional(std::move(changed));
  };
}

Result<NllChange> Planner::measure_plan(const std::vector<LossyStep>& steps, NllMeter& meter,
                                        const std::vector<double>& exact, NllMeter::Rows rows) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<double> nll,
                          meter.measure(changes_of(steps), std::move(rows)));
  ++num_measurements_;
  return compare_nll(exact, nll);
}

std::uint64_t Planner::exact_tensor_bytes() const {
  std::uint64_t bytes = 0;
  for (const TensorOptions& tensor : options_) bytes += tensor.options.front().bytes;
  return bytes;
}

double Planner::exact_nll() const { return mean_of(exact_nll_); }

std::optional<double> Planner::held_out_nll() const {
  if (!held_out_meter_) return std::nullopt;
  return mean_of(exact_held_out_);
}

std::vector<std::size_t> Planner::unsettled_tensors(const Plan& plan) const {
  std::vector<std::size_t> tensors;
  for (std::size_t i = 0; i < options_.size(); ++i)
    for (const TensorOption& option : options_[i].options)
      if (option.step == plan.steps[i] && !option.is_exact_size) tensors.push_back(i);
  return tensors;
}

void Planner::set_bytes(std::size_t tensor, const LossyStep& step, std::uint64_t bytes) {
  for (TensorOption& option : options_[tensor].options) {
    if (!(option.step == step)) continue;
    option.bytes = bytes;
    option.is_exact_size = true;
  }
  curve_.emplace(budget_items(options_));
}

std::optional<Plan> Planner::plan(std::uint64_t tensor_bytes) const {
  Plan plan;
  if (exact_tensor_bytes() <= tensor_bytes) {
    plan.steps.resize(options_.size());
    plan.options.resize(options_.size());
    plan.tensor_bytes = exact_tensor_bytes();
    return plan;
  }
  const std::optional<Selection> choice = curve_->best_within(tensor_bytes);
  if (!choice) return std::nullopt;
  return plan_of(*choice);
}

Plan Planner::plan_of(const Selection& selection) const {
  Plan plan;
  plan.options = selection.options;
  for (std::size_t i = 0; i < options_.size(); ++i)
    plan.steps.push_back(options_[i].options[selection.options[i]].step);
  plan.tensor_bytes = selection.bytes;
  plan.sum_of_losses = selection.loss;
  plan.predicted = fit_.predict(selection.loss);
  return plan;
}

Status Planner::measure_held_out(Plan& plan) {
  if (!held_out_meter_) return {};
  BANKAI_ASSIGN_OR_RETURN(plan.held_out,
                          measure_plan(plan.steps, *held_out_meter_, exact_held_out_, {}));
  return {};
}

}  // namespace bankai::packer
