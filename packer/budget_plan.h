// Plans for the bytes of a whole pack: tensors, metadata, directory and container together.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  // `exact`: the tensors of the unchanged model, packed with these options. All must outlive the
  // object. Finds the smallest plan: steps whose sizes were estimates are coded until all that it
  // uses are exact. Errors: those of measure_tensor and Planner::changed_tensor.
  static Result<BudgetPlanner> make(const model::GgufFile& file, Planner& planner,
                                    const PackOptions& options,
                                    const std::vector<PackedTensor>& exact);

  // Of the smallest plan, as far as sizes were exact when it was last looked for: by make(), and by
  // a plan() that found none.
  std::uint64_t smallest_bytes() const { return smallest_bytes_; }

  // A pack of at most `budget_bytes`, and its loss measured: of all plans that fit and were
  // measured in the object's life, so that a larger budget never does worse than a smaller one
  // before. Every step that it uses has been coded, each once in the object's life. Errors:
  // kNoSolution, naming the smallest size, if there is none.
  Result<BudgetPlan> plan(std::uint64_t budget_bytes);

  // The model as the plan has it.
  Result<PackSource> source(const Plan& plan) const;

 private:
  BudgetPlanner(const model::GgufFile& file, Planner& planner, const PackOptions& options,
                const std::vector<PackedTensor>& exact)
      : file_(file), planner_(planner), options_(options), exact_(exact) {}
  Result<std::optional<Plan>> settled(const std::function<std::optional<Plan>()>& choose);
  using Choice = std::function<std::optional<Plan>(std::uint64_t tensor_bytes)>;
  Result<Plan> find_smallest();
  Result<std::optional<BudgetPlan>> fitting(std::uint64_t budget_bytes, const Choice& choose);
  Result<BudgetPlan> best_fitting(std::uint64_t budget_bytes, BudgetPlan found);
  Status try_exchanges(const Plan& base, std::uint64_t budget_bytes);
  Result<BudgetPlan> improved(std::uint64_t budget_bytes, const BudgetPlan& found);
  Status code_step(std::size_t tensor, const LossyStep& step);
  Result<PackLedger> ledger_of(const Plan& plan);

  const model::GgufFile& file_;
  Planner& planner_;
  const PackOptions& options_;
  const std::vector<PackedTensor>& exact_;
  std::map<std::pair<std::size_t, std::string>, PackedTensor> coded_;  // by tensor and step's name
  PackedBlobs blobs_;
  std::vector<BudgetPlan> taken_;  // what plan() has given, on text
  std::uint64_t other_bytes_ = 0;  // of the smallest pack, that are no tensors'
  std::uint64_t smallest_bytes_ = 0;
};

}  // namespace bankai::packer
