// The part of the planner that improves a plan by measured exchanges, and keeps what was measured.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "packer/plan.h"

namespace bankai::packer {

bool is_better(const Plan& a, const Plan& b) {
  const auto rank = [](const Plan& plan) {
    return std::pair(std::max(*plan.measured, 0.0), plan.sum_of_losses);
  };
  return rank(a) < rank(b);
}

Status Planner::measure(Plan& plan) {
  if (recall(plan)) return {};
  BANKAI_ASSIGN_OR_RETURN(const NllChange change,
                          measure_plan(plan.steps, *meter_, exact_nll_, {}));
  remember(plan, change);
  return {};
}

// False if the plan was not measured before.
bool Planner::recall(Plan& plan) const {
  const auto known = std::ranges::find(measured_, plan.options, &Plan::options);
  if (known == measured_.end()) return false;
  plan.predicted = known->predicted;
  plan.measured = known->measured;
  plan.standard_error = known->standard_error;
  return true;
}

void Planner::remember(Plan& plan, const NllChange& change) {
  plan.measured = change.mean;
  plan.standard_error = change.standard_error;
  measured_.push_back(plan);
}

std::optional<Plan> Planner::best_measured(std::uint64_t tensor_bytes,
                                           const std::vector<Plan>& without) const {
  std::optional<Plan> best;
  for (const Plan& plan : measured_) {
    if (best && !is_better(plan, *best)) continue;
    if (std::ranges::find(without, plan.options, &Plan::options) != without.end()) continue;
    const std::uint64_t bytes = curve_->selection(plan.options).bytes;
    if (bytes > tensor_bytes || !unsettled_tensors(plan).empty()) continue;
    best = plan;
    best->tensor_bytes = bytes;
  }
  return best;
}

// Those steps are measured that are likely to be exchanged: up where a byte gains most, down where
// it loses least.
std::vector<Planner::StagedExchange> Planner::likely_exchanges(const Plan& base) const {
  const std::size_t most = settings_.max_measurements / 8 + 1;
  std::vector<StagedExchange> all;
  for (const bool is_up : {true, false}) {
    std::vector<StagedExchange> found;
    for (const Group& group : schedule_.groups)
      if (std::optional<Exchange> exchange =
              step_exchange(options_, base.options, group.members, is_up))
        found.push_back({group.first_stage, *std::move(exchange)});
    std::ranges::stable_sort(found, [&](const StagedExchange& a, const StagedExchange& b) {
      return is_up ? a.exchange.worth() > b.exchange.worth()
                   : a.exchange.worth() < b.exchange.worth();
    });
    found.resize(std::min(found.size(), most));
    std::ranges::move(found, std::back_inserter(all));
  }
  std::ranges::stable_sort(all, {}, &StagedExchange::first_stage);
  return all;
}

Status Planner::measure_exchanges(const Plan& base) {
  exchanges_.clear();
  NllMeter::Rows rows;
  for (auto& [first_stage, exchange] : likely_exchanges(base)) {
    std::vector<std::size_t> options = base.options;
    for (const auto& [tensor, option] : exchange.options) options[tensor] = option;
    Plan plan = plan_of(curve_->selection(std::move(options)));
    plan.predicted = *base.measured + plan.predicted - fit_.predict(base.sum_of_losses);
    if (!recall(plan)) {
      BANKAI_RETURN_IF_ERROR(meter_->advance(rows, first_stage, changes_of(base.steps)));
      BANKAI_ASSIGN_OR_RETURN(const NllChange change,
                              measure_plan(plan.steps, *meter_, exact_nll_, rows));
      remember(plan, change);
    }
    exchange.change = *plan.measured - *base.measured;
    exchanges_.push_back(std::move(exchange));
  }
  return {};
}

std::optional<Plan> Planner::exchanged(const Plan& base, std::uint64_t tensor_bytes,
                                       double caution) {
  std::optional<ExchangedPlan> best =
      best_exchange(options_, base.options, exchanges_, tensor_bytes, caution);
  if (!best) return std::nullopt;
  Plan plan = plan_of(curve_->selection(best->options));
  plan.predicted = *base.measured + best->change();
  exchanged_ = *std::move(best);
  return plan;
}

// Many exchanges together do not change the loss by the sum of what they do alone, so all of them
// but one are measured. That one is of middle effect.
Status Planner::measure_exchanged(const Plan& base, Plan& plan) {
  std::vector<std::pair<double, std::size_t>> changed;
  for (std::size_t i = 0; i < options_.size(); ++i)
    if (plan.options[i] != base.options[i])
      changed.emplace_back(std::abs(exchanged_.changes[i]), i);
  const bool is_new = std::ranges::find(measured_, plan.options, &Plan::options) == measured_.end();
  if (changed.size() < 2 || !is_new) return measure(plan);
  std::ranges::sort(changed);
  const std::size_t tensor = changed[changed.size() / 2].second;
  const double change = exchanged_.changes[tensor];
  std::vector<std::size_t> options = plan.options;
  options[tensor] = base.options[tensor];
  Plan neighbour = plan_of(curve_->selection(std::move(options)));
  BANKAI_RETURN_IF_ERROR(measure(neighbour));
  plan.predicted = *neighbour.measured + change;
  BANKAI_RETURN_IF_ERROR(measure(plan));
  std::ranges::find(measured_, neighbour.options, &Plan::options)->predicted =
      *plan.measured - change;
  return {};
}

}  // namespace bankai::packer
