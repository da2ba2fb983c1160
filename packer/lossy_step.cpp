#include "packer/lossy_step.h"

#include <numeric>

namespace bankai::packer {
namespace {

using kernels::TensorType;

// 2^-4 of a scale is an error of at most 3 %, small beside what a sign or a trit loses.
constexpr unsigned kCoarseScaleBits = 4;
constexpr unsigned kPruned64ths[] = {2, 4, 8, 12, 16, 24, 32, 48};

bool is_float(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16;
}

unsigned mantissa_bits_of(TensorType type) {
  return type == TensorType::kF32 ? 23 : type == TensorType::kBF16 ? 7 : 10;
}

bool is_divisible(const kernels::WeightRows& tensor, TensorType type) {
  return tensor.cols % kernels::tensor_type_info(type).block_weights == 0;
}

void add_fewer_bits(const kernels::WeightRows& tensor, std::vector<LossyStep>& steps) {
  for (unsigned bits = tensor.type == TensorType::kQ8_0 ? 7 : 8; bits >= 3; --bits)
    steps.push_back({.encoding = LossyEncoding{TensorType::kQ8_0, bits}});
  for (const TensorType type : {TensorType::kTQ2_0, TensorType::kQ2_0, TensorType::kQ1_0}) {
    if (!is_divisible(tensor, type)) continue;
    if (type == TensorType::kQ2_0 && is_divisible(tensor, TensorType::kTQ2_0)) continue;
    steps.push_back({.encoding = LossyEncoding{type}});
  }
}

void add_coarser_scales(std::vector<LossyStep>& steps) {
  for (const unsigned bits : {7U, 5U, kCoarseScaleBits, 3U, 1U})
    steps.push_back({.mantissa_bits = bits});
  steps.push_back({.shares_row_scales = true, .mantissa_bits = kCoarseScaleBits});
}

void add_pruning(const std::optional<LossyEncoding>& encoding, std::vector<LossyStep>& steps) {
  for (const unsigned pruned : kPruned64ths)
    steps.push_back(
        {.encoding = encoding, .pruned_64ths = pruned, .mantissa_bits = kCoarseScaleBits});
}

std::string fraction_text(unsigned of_64) {
  const unsigned divisor = std::gcd(of_64, 64U);
  return std::to_string(of_64 / divisor) + "/" + std::to_string(64 / divisor);
}

}  // namespace

std::string step_name(const LossyStep& step) {
  if (step.is_exact()) return "exact";
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (step.encoding) {
    add(std::string(kernels::tensor_type_info(step.encoding->type).name));
    if (step.encoding->type == TensorType::kQ8_0)
      text += " at " + std::to_string(step.encoding->code_bits) + " bits";
  }
  if (step.drops_unused_rows) add("unused rows dropped");
  if (step.pruned_64ths > 0) add(fraction_text(step.pruned_64ths) + " pruned");
  if (step.shares_row_scales) add("one scale per row");
  if (step.mantissa_bits) add("mantissas of " + std::to_string(*step.mantissa_bits) + " bits");
  return text;
}

std::vector<LossyStep> lossy_steps(const kernels::WeightRows& tensor, TensorRole role,
                                   bool drop_unused_rows) {
  std::vector<LossyStep> steps(1);
  if (tensor.type == TensorType::kI2_S || tensor.rows == 0 || tensor.cols == 0) return steps;
  if (role == TensorRole::kOther) {
    if (!is_float(tensor.type)) return steps;
    for (const unsigned bits : {12U, 9U, 7U, 5U, 3U})
      if (bits < mantissa_bits_of(tensor.type)) steps.push_back({.mantissa_bits = bits});
    return steps;
  }
  const bool can_prune = role == TensorRole::kMatrix;
  if (is_float(tensor.type) || tensor.type == TensorType::kQ8_0) {
    add_fewer_bits(tensor, steps);
    if (can_prune && is_divisible(tensor, TensorType::kQ1_0))
      add_pruning(LossyEncoding{TensorType::kQ1_0}, steps);
  } else {
    add_coarser_scales(steps);
    if (can_prune) add_pruning(std::nullopt, steps);
  }
  if (role == TensorRole::kTokenTable && drop_unused_rows) {
    for (std::size_t i = 0, count = steps.size(); i < count; ++i) {
      if (is_float(steps[i].encoding ? steps[i].encoding->type : tensor.type)) continue;
      steps.push_back(steps[i]);
      steps.back().drops_unused_rows = true;
    }
  }
  return steps;
}

}  // namespace bankai::packer
