// Plans for the bytes of a whole pack: tensors, metadata, directory and container together.
#pragma once

#include <cstdint>
#include <optional>

#include "core/result.h"
#include "model/gguf_file.h"
#include "packer/pack_writer.h"
#include "packer/plan.h"

namespace bankai::packer {

struct BudgetPlan {
  Plan plan;
  PackLedger ledger;  // of the pack it gives, to the byte
};

class BudgetPlanner {
 public:
  // `exact`: the ledger of the unchanged model, packed with these options. All must outlive the
  // object. Errors: those of measure_pack.
  static Result<BudgetPlanner> make(const model::GgufFile& file, Planner& planner,
                                    const PackOptions& options, const PackLedger& exact);

  // Of the smallest plan.
  std::uint64_t smallest_bytes() const { return smallest_bytes_; }

  // A pack of at most `budget_bytes`, and its loss measured. Errors: kNoSolution, naming the
  // smallest size, if there is none.
  Result<BudgetPlan> plan(std::uint64_t budget_bytes);

  // The model as the plan has it.
  Result<PackSource> source(const Plan& plan) const;

 private:
  BudgetPlanner(const model::GgufFile& file, Planner& planner, const PackOptions& options)
      : file_(file), planner_(planner), options_(options) {}
  Result<PackLedger> ledger_of(const Plan& plan) const;

  const model::GgufFile& file_;
  Planner& planner_;
  const PackOptions& options_;
  std::uint64_t other_bytes_ = 0;  // of the exact pack, that are no tensors'
  std::uint64_t smallest_bytes_ = 0;
};

}  // namespace bankai::packer
