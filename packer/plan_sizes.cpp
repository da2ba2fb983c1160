// The part of the planner that lists every tensor's steps with what they store and about lose. Of
// large tensors a sample of the rows is coded: a step's size is the exact tensor's times the ratio
// of the sample's sizes with and without the step, its estimated loss that of the sample times the
// ratio of rows.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/format.h"
#include "packer/payload.h"
#include "packer/plan.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kSampleRuns = 8;     // of rows that follow each other, spread evenly
constexpr std::size_t kTensorsAtOnce = 8;  // per thread, between reports of progress

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

// What a sample of the tensor's rows is taken as; empty: the whole tensor.
std::vector<std::size_t> sampled_rows(const model::GgufTensor& tensor, std::size_t weights) {
  const std::size_t rows = tensor.rows(), cols = tensor.cols();
  const std::size_t run = weights / kSampleRuns / std::max<std::size_t>(cols, 1);
  std::vector<std::size_t> sample;
  if (run < 2 || rows / 4 < run * kSampleRuns) return sample;
  for (std::size_t i = 0; i < kSampleRuns; ++i) {
    const std::size_t first = rows * i / kSampleRuns + (rows / kSampleRuns - run) / 2;
    for (std::size_t row = first; row < first + run; ++row) sample.push_back(row);
  }
  return sample;
}

TensorImportance importance_of_rows(const TensorImportance& all,
                                    const std::vector<std::size_t>& rows) {
  TensorImportance result{{}, all.cols, {}};
  for (const std::size_t row : rows) {
    if (!all.rows.empty()) result.rows.push_back(all.rows[row]);
    if (!all.is_row_used.empty()) result.is_row_used.push_back(all.is_row_used[row]);
  }
  return result;
}

}  // namespace

struct Planner::TensorView {
  model::GgufTensor tensor;  // with the sample's shape
  std::vector<std::byte> sample;
  TensorImportance importance;
  double share = 1.0;  // of the rows

  bool is_sample() const { return !sample.empty(); }
  std::span<const std::byte> bytes() const {
    return is_sample() ? std::span<const std::byte>(sample) : tensor.data;
  }
  kernels::WeightRows rows() const {
    const kernels::TensorTypeInfo& info = kernels::tensor_type_info(tensor.type);
    return {tensor.type, reinterpret_cast<const std::uint8_t*>(bytes().data()), tensor.rows(),
            tensor.cols(), tensor.cols() / info.block_weights * info.block_bytes};
  }
};

Planner::TensorView Planner::view_of(std::size_t tensor) const {
  const model::GgufTensor& original = model_.file().tensors()[tensor];
  const std::vector<std::size_t> rows = sampled_rows(original, settings_.sample_weights);
  if (rows.empty() || original.type == kernels::TensorType::kI2_S)
    return {original, {}, importance_[tensor], 1.0};
  TensorView view{original,
                  {},
                  importance_of_rows(importance_[tensor], rows),
                  static_cast<double>(rows.size()) / static_cast<double>(original.rows())};
  view.tensor.dims = {original.cols(), rows.size()};
  const std::size_t row_bytes = original.data.size() / original.rows();
  for (const std::size_t row : rows) {
    const auto bytes = original.data.subspan(row * row_bytes, row_bytes);
    view.sample.insert(view.sample.end(), bytes.begin(), bytes.end());
  }
  return view;
}

// Tensors side by side; the result does not depend on how many at once.
Status Planner::list_options(const SizeOfTensor& size_of, const Progress& progress) {
  const std::size_t count = model_.file().tensors().size();
  options_.resize(count);
  const auto list_one = [&](std::size_t tensor) -> Status {
    Result<TensorOptions> options = options_of(tensor, size_of);
    if (!options.ok())
      return with_context(
          std::move(options).error(),
          model_.file().path() + ": tensor " + quoted(model_.file().tensors()[tensor].name));
    options_[tensor] = std::move(options).value();
    return {};
  };
  const int threads = settings_.forward.threads;
  const std::size_t at_once = kTensorsAtOnce * static_cast<std::size_t>(std::max(threads, 1));
  for (std::size_t first = 0; first < count; first += at_once) {
    progress("sizes of steps", static_cast<double>(first) / static_cast<double>(count));
    BANKAI_RETURN_IF_ERROR(for_each_block(
        std::min(at_once, count - first), threads,
        [&](std::uint64_t index) { return list_one(first + static_cast<std::size_t>(index)); }));
  }
  return {};
}

Status Planner::settle_exact_size(std::size_t tensor, const SizeOfTensor& size_of,
                                  TensorOptions& options) const {
  TensorOption& exact = options.options.front();
  if (!settings_.exact_bytes.empty()) {
    exact.bytes = settings_.exact_bytes[tensor];
    return {};
  }
  const model::GgufTensor& original = model_.file().tensors()[tensor];
  BANKAI_ASSIGN_OR_RETURN(
      exact.bytes,
      size_of(original, {original.type, {original.data.begin(), original.data.end()}}));
  return {};
}

Result<TensorOptions> Planner::options_of(std::size_t tensor, const SizeOfTensor& size_of) const {
  const TensorView view = view_of(tensor);
  const kernels::WeightRows rows = view.rows();
  TensorOptions result{tensor, exchange_.role(tensor), {{LossyStep()}}};
  BANKAI_RETURN_IF_ERROR(settle_exact_size(tensor, size_of, result));
  const std::uint64_t exact_bytes = result.options.front().bytes;
  const std::vector<LossyStep> steps = lossy_steps(rows, result.role, settings_.drop_unused_rows);
  if (steps.size() == 1) return result;
  double size_factor = 1.0;
  if (view.is_sample()) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t sampled,
                            size_of(view.tensor, {view.tensor.type, view.sample}));
    size_factor = static_cast<double>(exact_bytes) / static_cast<double>(sampled);
  }
  const double loss_factor = (has_text() ? 1.0 : 2.0 / mean_square(rows)) / view.share;
  for (const LossyStep& step : steps) {
    if (step.is_exact()) continue;
    TensorOption option{step};
    BANKAI_ASSIGN_OR_RETURN(const LossyTensor changed, apply_step(rows, step, view.importance, 1));
    option.estimate = loss_factor * estimated_loss(rows, changed.weights(rows.rows, rows.cols),
                                                   view.importance, 1);
    if (!std::isfinite(option.estimate)) continue;  // as the weights are
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, size_of(view.tensor, changed));
    option.is_exact_size = !view.is_sample();
    option.bytes =
        view.is_sample()
            ? static_cast<std::uint64_t>(std::llround(size_factor * static_cast<double>(bytes)))
            : bytes;
    option.loss = option.estimate;
    result.options.push_back(option);
  }
  return result;
}

}  // namespace bankai::packer
