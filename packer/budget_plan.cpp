#include "packer/budget_plan.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "packer/lossy_source.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kRounds = 2;               // of measured exchanges
constexpr double kCautions[] = {0.0, 0.5, 1.0};  // with which they are tried

}  // namespace

Result<BudgetPlanner> BudgetPlanner::make(const model::GgufFile& file, Planner& planner,
                                          const PackOptions& options,
                                          const std::vector<PackedTensor>& exact) {
  BudgetPlanner result(file, planner, options, exact);
  BANKAI_ASSIGN_OR_RETURN(const Plan smallest, result.find_smallest());
  result.other_bytes_ = result.smallest_bytes_ - smallest.tensor_bytes;
  return result;
}

Result<Plan> BudgetPlanner::find_smallest() {
  BANKAI_ASSIGN_OR_RETURN(std::optional<Plan> smallest, settled([this] {
                            return planner_.plan(planner_.smallest_tensor_bytes());
                          }));
  BANKAI_ASSIGN_OR_RETURN(const PackLedger ledger, ledger_of(*smallest));
  smallest_bytes_ = ledger.total_bytes;
  return *std::move(smallest);
}

// Chooses again whenever an estimate has become a size, until all sizes of the choice are exact:
// there are only so many steps.
Result<std::optional<Plan>> BudgetPlanner::settled(
    const std::function<std::optional<Plan>()>& choose) {
  while (true) {
    std::optional<Plan> plan = choose();
    if (!plan) return plan;
    const std::vector<std::size_t> unsettled = planner_.unsettled_tensors(*plan);
    if (unsettled.empty()) return plan;
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
  packed.blobs = &blobs_;
  return measure_pack(packed, options_);
}

// The directory's size depends a little on the plan, so it is a matter of trying: what is too much
// is taken from the tensors. nullopt: there is no choice, or it cannot be made smaller.
Result<std::optional<BudgetPlan>> BudgetPlanner::fitting(std::uint64_t budget_bytes,
                                                         const Choice& choose) {
  std::uint64_t other_bytes = other_bytes_;
  while (true) {
    const std::uint64_t left = budget_bytes - std::min(budget_bytes, other_bytes);
    BANKAI_ASSIGN_OR_RETURN(const std::optional<Plan> chosen,
                            settled([&] { return choose(left); }));
    if (!chosen) return std::optional<BudgetPlan>();
    BudgetPlan result{*chosen, {}};
    BANKAI_ASSIGN_OR_RETURN(result.ledger, ledger_of(result.plan));
    if (result.ledger.total_bytes <= budget_bytes) return std::optional(std::move(result));
    if (chosen->tensor_bytes > left) return std::optional<BudgetPlan>();
    other_bytes += result.ledger.total_bytes - budget_bytes;
  }
}

Result<BudgetPlan> BudgetPlanner::plan(std::uint64_t budget_bytes) {
  const auto first = [&](std::uint64_t bytes) {
    return planner_.plan(std::max(bytes, planner_.smallest_tensor_bytes()));
  };
  BANKAI_ASSIGN_OR_RETURN(std::optional<BudgetPlan> found, fitting(budget_bytes, first));
  if (!found) {
    BANKAI_RETURN_IF_ERROR(find_smallest());
    return make_error(ErrorCode::kNoSolution,
                      "%s: no plan of at most %llu bytes; the smallest that can be reached is "
                      "%llu bytes",
                      file_.path().c_str(), static_cast<unsigned long long>(budget_bytes),
                      static_cast<unsigned long long>(smallest_bytes_));
  }
  if (planner_.has_text()) {
    BANKAI_RETURN_IF_ERROR(planner_.predict(found->plan));
    BANKAI_RETURN_IF_ERROR(planner_.measure(found->plan));
    BANKAI_ASSIGN_OR_RETURN(*found, improved(budget_bytes, *found));
    taken_.push_back(*found);
  }
  BANKAI_RETURN_IF_ERROR(planner_.measure_held_out(found->plan));
  return *std::move(found);
}

// Exchanges that were measured one by one may disappoint together; then fewer are made.
Status BudgetPlanner::try_exchanges(const Plan& base, std::uint64_t budget_bytes) {
  BANKAI_RETURN_IF_ERROR(planner_.measure_exchanges(base));
  for (const double caution : kCautions) {
    const auto exchanged = [&](std::uint64_t bytes) {
      return planner_.exchanged(base, bytes, caution);
    };
    BANKAI_ASSIGN_OR_RETURN(std::optional<BudgetPlan> next, fitting(budget_bytes, exchanged));
    if (!next || next->plan.options == base.options) return {};
    BANKAI_RETURN_IF_ERROR(planner_.measure_exchanged(base, next->plan));
    if (*next->plan.measured < *base.measured) return {};
  }
  return {};
}

// The best of all plans that were measured and fit; never worse than `found`, which does. A plan of
// more than `left` may fit because its directory is smaller, so what was taken before counts too.
Result<BudgetPlan> BudgetPlanner::best_fitting(std::uint64_t budget_bytes, BudgetPlan found) {
  for (const BudgetPlan& taken : taken_)
    if (taken.ledger.total_bytes <= budget_bytes && is_better(taken.plan, found.plan))
      found = taken;
  const std::uint64_t left = budget_bytes - std::min(budget_bytes, other_bytes_);
  std::vector<Plan> too_large;
  while (true) {
    std::optional<Plan> best = planner_.best_measured(left, too_large);
    if (!best || is_better(found.plan, *best)) return found;
    BANKAI_ASSIGN_OR_RETURN(PackLedger ledger, ledger_of(*best));
    if (ledger.total_bytes <= budget_bytes) return BudgetPlan{*std::move(best), std::move(ledger)};
    too_large.push_back(*std::move(best));
  }
}

// The best plan after exchanges around it. What cannot be told from the exact model on this text is
// left as it is.
Result<BudgetPlan> BudgetPlanner::improved(std::uint64_t budget_bytes, const BudgetPlan& found) {
  std::vector<std::size_t> before;
  for (std::size_t round = 0;; ++round) {
    BANKAI_ASSIGN_OR_RETURN(BudgetPlan base, best_fitting(budget_bytes, found));
    const Plan& plan = base.plan;
    const bool is_noise = *plan.measured < 2.0 * plan.standard_error;
    if (round == kRounds || is_noise || plan.options == before) return base;
    before = plan.options;
    BANKAI_RETURN_IF_ERROR(try_exchanges(plan, budget_bytes));
  }
}

}  // namespace bankai::packer
