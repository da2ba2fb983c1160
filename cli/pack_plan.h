// Planning for a byte budget, as bankai-pack plan and pack --budget-bytes share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/command_line.h"
#include "cli/pack_commands.h"
#include "cli/progress.h"
#include "core/result.h"
#include "model/model.h"
#include "packer/budget_plan.h"

namespace bankai::cli {

// A model with all that a plan for it needs.
struct PlanSession {
  std::unique_ptr<model::Model> model;
  packer::PackOptions options;
  packer::PlanSettings settings;
  std::vector<packer::PackedTensor> exact_tensors;  // of the unchanged model
  packer::PackLedger exact;                         // the same as a pack
  std::unique_ptr<packer::Planner> planner;         // none until prepare_planner()
  std::unique_ptr<packer::BudgetPlanner> budgets;
};

// Loads the model and finds its exact size. Errors: kUsage, those of Model and measure_pack.
Result<PlanSession> open_plan_session(const CommandLine& line, const std::string& path,
                                      Progress& progress);
// Measures what losses cost, unless that was done.
Status prepare_planner(const CommandLine& line, PlanSession& session, Progress& progress);
// The exact pack where it fits, else a plan. Errors: those of BudgetPlanner::plan.
Result<packer::BudgetPlan> plan_for(const CommandLine& line, PlanSession& session,
                                    std::uint64_t budget, Progress& progress);

// The value of --budget-bytes. Errors: kUsage.
Result<std::uint64_t> read_budget(const CommandLine& line);

// What a plan is: where the bytes go, what tensors lose, what that does to the loss; by kind of
// tensor, or with --verbose one by one.
// `output`: the pack that was written; empty: none.
void print_plan(const CommandLine& line, const PlanSession& session, const packer::BudgetPlan& plan,
                std::uint64_t budget, const std::string& output);

}  // namespace bankai::cli
