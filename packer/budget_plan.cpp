#include "packer/budget_plan.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "packer/lossy_source.h"

namespace bankai::packer {

Result<BudgetPlanner> BudgetPlanner::make(const model::GgufFile& file, Planner& planner,
                                          const PackOptions& options, const PackLedger& exact) {
  BudgetPlanner result(file, planner, options);
  result.other_bytes_ = exact.total_bytes - planner.exact_tensor_bytes();
  const std::optional<Plan> smallest = planner.plan(planner.smallest_tensor_bytes());
  BANKAI_ASSIGN_OR_RETURN(const PackLedger ledger, result.ledger_of(*smallest));
  result.smallest_bytes_ = ledger.total_bytes;
  return result;
}

Result<PackSource> BudgetPlanner::source(const Plan& plan) const {
  return lossy_source(file_, plan.steps, [this](std::size_t tensor, const LossyStep& step) {
    return planner_.changed_tensor(tensor, step);
  });
}

Result<PackLedger> BudgetPlanner::ledger_of(const Plan& plan) const {
  BANKAI_ASSIGN_OR_RETURN(const PackSource packed, source(plan));
  return measure_pack(packed, options_);
}

// The directory's size depends a little on the plan, so it is a matter of trying: what is too much
// is taken from the tensors. The smallest plan ends the search at the latest.
Result<BudgetPlan> BudgetPlanner::plan(std::uint64_t budget_bytes) {
  std::uint64_t other_bytes = other_bytes_;
  while (true) {
    const std::uint64_t tensor_bytes = std::max(budget_bytes - std::min(budget_bytes, other_bytes),
                                                planner_.smallest_tensor_bytes());
    BudgetPlan result{*planner_.plan(tensor_bytes), {}};
    BANKAI_ASSIGN_OR_RETURN(result.ledger, ledger_of(result.plan));
    if (result.ledger.total_bytes <= budget_bytes) {
      BANKAI_RETURN_IF_ERROR(planner_.measure(result.plan));
      return result;
    }
    if (tensor_bytes == planner_.smallest_tensor_bytes())
      return make_error(ErrorCode::kNoSolution,
                        "%s: no plan of at most %llu bytes; the smallest that can be reached is "
                        "%llu bytes",
                        file_.path().c_str(), static_cast<unsigned long long>(budget_bytes),
                        static_cast<unsigned long long>(result.ledger.total_bytes));
    other_bytes += result.ledger.total_bytes - budget_bytes;
  }
}

}  // namespace bankai::packer
