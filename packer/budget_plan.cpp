#include "packer/budget_plan.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "packer/lossy_source.h"

namespace bankai::packer {

Result<BudgetPlanner> BudgetPlanner::make(const model::GgufFile& file, Planner& planner,
                                          const PackOptions& options,
                                          const std::vector<PackedTensor>& exact) {
  BudgetPlanner result(file, planner, options, exact);
  BANKAI_ASSIGN_OR_RETURN(const Plan smallest, result.settled([&planner] {
    return planner.plan(planner.smallest_tensor_bytes());
  }));
  BANKAI_ASSIGN_OR_RETURN(const PackLedger ledger, result.ledger_of(smallest));
  result.smallest_bytes_ = ledger.total_bytes;
  result.other_bytes_ = ledger.total_bytes - smallest.tensor_bytes;
  return result;
}

// Chooses again whenever an estimate has become a size, until all sizes of the choice are exact:
// there are only so many steps.
Result<Plan> BudgetPlanner::settled(const std::function<std::optional<Plan>()>& choose) {
  while (true) {
    std::optional<Plan> plan = choose();
    const std::vector<std::size_t> unsettled = planner_.unsettled_tensors(*plan);
    if (unsettled.empty()) return *std::move(plan);
    for (const std::size_t tensor : unsettled) {
      if (options_.progress) options_.progress(std::string(file_.tensors()[tensor].name), -1.0);
      BANKAI_RETURN_IF_ERROR(code_step(tensor, plan->steps[tensor]));
      planner_.set_bytes(tensor, plan->steps[tensor],
                         coded_.at({tensor, step_name(plan->steps[tensor])}).bytes());
    }
  }
}

Status BudgetPlanner::code_step(std::size_t tensor, const LossyStep& step) {
  const std::pair key{tensor, step_name(step)};
  if (step.is_exact() || coded_.contains(key)) return {};
  const model::GgufTensor& original = file_.tensors()[tensor];
  BANKAI_ASSIGN_OR_RETURN(const LossyTensor changed, planner_.changed_tensor(tensor, step));
  const ImageTensor image{.name = std::string(original.name),
                          .dims = original.dims,
                          .type = changed.type,
                          .type_id = static_cast<std::uint32_t>(changed.type)};
  Result<PackedTensor> packed = measure_tensor(image, changed.bytes, options_);
  if (!packed.ok()) return with_context(std::move(packed).error(), file_.path());
  coded_.emplace(key, std::move(packed).value());
  return {};
}

Result<PackSource> BudgetPlanner::source(const Plan& plan) const {
  return lossy_source(file_, plan.steps, [this](std::size_t tensor, const LossyStep& step) {
    return planner_.changed_tensor(tensor, step);
  });
}

Result<PackLedger> BudgetPlanner::ledger_of(const Plan& plan) {
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    BANKAI_RETURN_IF_ERROR(code_step(i, plan.steps[i]));
  BANKAI_ASSIGN_OR_RETURN(PackSource packed, source(plan));
  packed.measured = [&](std::size_t tensor) {
    return plan.steps[tensor].is_exact() ? &exact_[tensor]
                                         : &coded_.at({tensor, step_name(plan.steps[tensor])});
  };
  return measure_pack(packed, options_);
}

// The directory's size depends a little on the plan, so it is a matter of trying: what is too much
// is taken from the tensors. The smallest plan ends the search at the latest.
Result<BudgetPlan> BudgetPlanner::plan(std::uint64_t budget_bytes) {
  std::uint64_t other_bytes = other_bytes_;
  while (true) {
    bool is_smallest = false;
    BANKAI_ASSIGN_OR_RETURN(const Plan chosen, settled([&] {
                              const std::uint64_t left =
                                  budget_bytes - std::min(budget_bytes, other_bytes);
                              const std::uint64_t least = planner_.smallest_tensor_bytes();
                              is_smallest = left <= least;
                              return planner_.plan(std::max(left, least));
                            }));
    BudgetPlan result{chosen, {}};
    BANKAI_ASSIGN_OR_RETURN(result.ledger, ledger_of(result.plan));
    if (result.ledger.total_bytes <= budget_bytes) {
      BANKAI_RETURN_IF_ERROR(planner_.measure(result.plan));
      return result;
    }
    if (is_smallest)
      return make_error(ErrorCode::kNoSolution,
                        "%s: no plan of at most %llu bytes; the smallest that can be reached is "
                        "%llu bytes",
                        file_.path().c_str(), static_cast<unsigned long long>(budget_bytes),
                        static_cast<unsigned long long>(result.ledger.total_bytes));
    other_bytes += result.ledger.total_bytes - budget_bytes;
  }
}

}  // namespace bankai::packer
