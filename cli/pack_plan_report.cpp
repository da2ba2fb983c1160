// What bankai-pack prints of a plan.
#include <algorithm>
#include <iostream>
#include <map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/pack_plan.h"
#include "cli/pack_report.h"
#include "cli/report_text.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

unsigned long long printable(std::uint64_t value) { return value; }

// "16000000 bytes (16MB, decimal)".
std::string budget_text(const CommandLine& line, std::uint64_t budget) {
  const auto& given = line.get<std::string>("budget-bytes");
  std::string text = format("%llu bytes", printable(budget));
  if (given.find_first_not_of("0123456789") == std::string::npos) return text;
  const bool is_binary = given.find('i') != std::string::npos;
  return text + " (" + given + ", " + (is_binary ? "binary" : "decimal") + ")";
}

Json plan_json(const PlanSession& session, const packer::BudgetPlan& plan, std::uint64_t budget) {
  Json object = ledger_json<Json>(plan.ledger, budget);
  object["exact_bytes"] = session.exact.total_bytes;
  const bool has_text = session.planner != nullptr && session.planner->has_text();
  object["smallest_bytes"] = session.budgets ? Json(session.budgets->smallest_bytes()) : Json();
  object["exact_nll"] = has_text ? Json(session.planner->exact_nll()) : Json();
  object["predicted_change"] = plan.plan.predicted;
  object["change_unit"] = has_text || plan.plan.is_exact() ? "nats" : "weights removed";
  object["measured_change"] = plan.plan.measured ? Json(*plan.plan.measured) : Json();
  object["standard_error"] = plan.plan.standard_error;
  if (plan.plan.held_out) {
    const bool is_known = session.planner != nullptr;
    object["heldout_nll"] = is_known ? Json(*session.planner->held_out_nll()) : Json();
    object["heldout_change"] = plan.plan.held_out->mean;
    object["heldout_standard_error"] = plan.plan.held_out->standard_error;
  }
  object["steps"] = Json::array();
  const auto& tensors = session.model->file().tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!plan.plan.steps[i].is_exact())
      object["steps"].push_back(
          {{"tensor", tensors[i].name}, {"step", packer::step_name(plan.plan.steps[i])}});
  return object;
}

// How many tensors of each kind take which step; with `verbose` each of them.
void print_steps(const std::vector<model::GgufTensor>& tensors, const packer::Plan& plan,
                 bool verbose) {
  std::vector<std::pair<std::string, std::string>> lines;  // kinds and steps as they come first
  std::map<std::pair<std::string, std::string>, std::size_t> counts;
  std::size_t width = 6;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string_view name = tensors[i].name;
    const std::pair line{verbose ? std::string(name) : kind_of_tensor(name),
                         packer::step_name(plan.steps[i])};
    if (++counts[line] == 1) lines.push_back(line);
    width = std::max(width, line.first.size());
  }
  if (!verbose) std::ranges::sort(lines);
  std::cout << format("%-*s  %5s  %s\n", static_cast<int>(width), "tensor", "count", "step");
  for (const auto& line : lines)
    std::cout << format("%-*s  %5zu  %s\n", static_cast<int>(width), line.first.c_str(),
                        counts.at(line), line.second.c_str());
}

void print_losses(const PlanSession& session, const packer::BudgetPlan& plan, bool verbose) {
  if (plan.plan.is_exact()) {
    std::cout << "the exact model fits: nothing is lost\n";
    return;
  }
  print_steps(session.model->file().tensors(), plan.plan, verbose);
  std::cout << format("smallest size that can be reached: %llu bytes\n",
                      printable(session.budgets->smallest_bytes()));
  if (!session.planner->has_text())
    std::cout << format("estimated loss: that of removing %.0f weights (no calibration text)\n",
                        plan.plan.predicted);
  else
    std::cout << format(
        "calibration text: exact %.5f nats per token; change predicted %+.5f, measured %+.5f "
        "(standard error %.5f); %s\n",
        session.planner->exact_nll(), plan.plan.predicted, *plan.plan.measured,
        plan.plan.standard_error,
        counted(session.planner->num_measurements(), "measurement").c_str());
  if (plan.plan.held_out)
    std::cout << format(
        "held-out text:    exact %.5f nats per token; change measured %+.5f (standard error "
        "%.5f)\n",
        *session.planner->held_out_nll(), plan.plan.held_out->mean,
        plan.plan.held_out->standard_error);
}

}  // namespace

void print_plan(const CommandLine& line, const PlanSession& session, const packer::BudgetPlan& plan,
                std::uint64_t budget, const std::string& output) {
  if (line.json()) {
    Json object = plan_json(session, plan, budget);
    if (!output.empty()) object["output"] = output;
    print_json_line(object);
    return;
  }
  print_ledger_text(plan.ledger, line.get<bool>("verbose"));
  print_losses(session, plan, line.get<bool>("verbose"));
  std::cout << format("budget %s; exact %llu bytes; %s %llu bytes\n",
                      budget_text(line, budget).c_str(), printable(session.exact.total_bytes),
                      output.empty() ? "planned" : (output + ":").c_str(),
                      printable(plan.ledger.total_bytes));
}

}  // namespace bankai::cli
