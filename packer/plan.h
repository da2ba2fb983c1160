// Plans for byte budgets: which lossy step every tensor takes, so that the packed model fits and
// loses as little as possible on calibration text. docs/planning.md tells how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/model.h"
#include "model/transformer.h"
#include "packer/loss_fit.h"
#include "packer/lossy_tensor.h"
#include "packer/nll_meter.h"
#include "packer/plan_exchange.h"
#include "packer/plan_options.h"
#include "packer/weight_exchange.h"

namespace bankai::packer {

struct PlanSettings {
  // Text to measure on, at least two tokens; empty: losses are estimated from the weights alone, as
  // the number of weights whose removal would be as large an error.
  std::vector<model::TokenId> calibration;
  std::size_t calibration_tokens = 2048;  // of it are measured on
  std::size_t context = 512;
  std::vector<model::TokenId> held_out;  // plans are measured on it too; may be empty
  bool drop_unused_rows = false;         // rows of tokens that the text lacks. REQUIRES: text
  std::size_t max_measurements = 400;
  model::ForwardOptions forward;
  // The packed bytes of each tensor as it is, where that is known already.
  std::vector<std::uint64_t> exact_bytes = {};
  // Tensors of four times as many weights are judged by a sample of so many of their rows' weights.
  std::size_t sample_weights = std::size_t{1} << 17U;
};

// The packed bytes of a tensor of the file with other weights, or of some of its rows (`tensor`
// then has their shape). Several threads call it at once.
using SizeOfTensor =
    std::function<Result<std::uint64_t>(const model::GgufTensor& tensor, const LossyTensor&)>;

struct Plan {
  std::vector<LossyStep> steps;      // of each tensor of the file
  std::vector<std::size_t> options;  // the same as indices in Planner::options()
  std::uint64_t tensor_bytes = 0;
  double sum_of_losses = 0.0;         // of its steps, each measured or estimated by itself
  double predicted = 0.0;             // rise of the loss, nats per target if there is text
  std::optional<double> measured;     // the same, measured; none without text
  double standard_error = 0.0;        // of `measured`
  std::optional<NllChange> held_out;  // the same on the held-out text

  bool is_exact() const;
};

// By what was measured; of plans that lose nothing the one that promises to lose least is better,
// because doing better than the exact model is chance. REQUIRES: both are measured.
bool is_better(const Plan& a, const Plan& b);

class Planner {
 public:
  using Progress = std::function<void(const std::string& stage, double fraction)>;

  // Estimates, sizes and measures every step, then some plans as a whole. Sizes of steps on large
  // tensors are estimates, by a sample of rows, until set_bytes() says otherwise. The model must
  // outlive the planner and serves nobody else. Errors: kBadInput if the loss on a text is no
  // number or weights are not finite; those of `size_of`. Memory beside the model: one tensor
  // twice, one layer, the residual rows of the texts, a backward pass of 1024 tokens.
  static Result<std::unique_ptr<Planner>> make(model::Model& model,
                                               const kernels::KernelTable& table,
                                               PlanSettings settings, const SizeOfTensor& size_of,
                                               const Progress& progress);

  bool has_text() const { return meter_.has_value(); }
  std::uint64_t exact_tensor_bytes() const;
  std::uint64_t smallest_tensor_bytes() const { return curve_->smallest_bytes(); }
  const std::vector<TensorOptions>& options() const { return options_; }
  std::size_t num_measurements() const { return num_measurements_; }
  // Of the exact model. REQUIRES: has_text().
  double exact_nll() const;
  // The same of the held-out text; nullopt without one.
  std::optional<double> held_out_nll() const;

  // The plan of tensors of at most `tensor_bytes`: the exact one where that fits. nullopt if there
  // is none. Nothing is measured.
  std::optional<Plan> plan(std::uint64_t tensor_bytes) const;
  // Predicts a plan from the two of the path that are next to it, which are measured for it; what
  // was measured of the plan itself plays no part. REQUIRES: has_text().
  Status predict(Plan& plan);
  // Sets the measured change of a plan, which is remembered. REQUIRES: has_text().
  Status measure(Plan& plan);
  // The same on the held-out text, if there is one.
  Status measure_held_out(Plan& plan);
  // Of all plans measured so far whose tensors are known to have at most `tensor_bytes`, the best
  // one, but none with the options of a plan in `without`; nullopt if there is none.
  std::optional<Plan> best_measured(std::uint64_t tensor_bytes,
                                    const std::vector<Plan>& without = {}) const;
  // Measures what single steps up and down change in the presence of the plan's other steps.
  // REQUIRES: has_text().
  Status measure_exchanges(const Plan& base);
  // The best exchange by the last measure_exchanges(), which were for `base`, as a plan of at most
  // `tensor_bytes`; `caution` as in best_exchange(). nullopt: nothing fits.
  std::optional<Plan> exchanged(const Plan& base, std::uint64_t tensor_bytes, double caution);
  // measure() for the last plan of exchanged(), predicted anew from one beside it.
  Status measure_exchanged(const Plan& base, Plan& plan);
  // The options of a plan whose sizes are estimates: what set_bytes() is needed for.
  std::vector<std::size_t> unsettled_tensors(const Plan& plan) const;
  // The packed size of a step of a tensor, now exact. Other plans may be better from now on.
  void set_bytes(std::size_t tensor, const LossyStep& step, std::uint64_t bytes);
  // A tensor of the file after a step of its options.
  Result<LossyTensor> changed_tensor(std::size_t tensor, const LossyStep& step) const;

 private:
  // Tensors of one kind that are measured together, each at its own step.
  struct Group {
    std::size_t first_stage = 0;
    std::vector<std::size_t> members;  // indices in options_
  };
  struct Schedule {
    std::vector<Group> groups;  // by first stage
    std::size_t levels = 0;     // measurements of a group, at most
  };
  struct StagedExchange {
    std::size_t first_stage = 0;
    Exchange exchange;
  };

  Planner(model::Model& model, PlanSettings settings)
      : model_(model),
        settings_(std::move(settings)),
        exchange_(model, settings_.forward.threads) {}

  Status read_text(const kernels::KernelTable& table);
  Status read_held_out(const kernels::KernelTable& table);
  Status list_options(const SizeOfTensor& size_of, const Progress& progress);
  struct TensorView;  // a tensor, or a sample of its rows
  TensorView view_of(std::size_t tensor) const;
  Result<TensorOptions> options_of(std::size_t tensor, const SizeOfTensor& size_of) const;
  Status settle_exact_size(std::size_t tensor, const SizeOfTensor& size_of,
                           TensorOptions& options) const;
  std::vector<Group> make_groups(std::size_t layers_together) const;
  std::size_t num_levels(const Group& group, std::size_t levels) const;
  Schedule make_schedule() const;
  Status measure_steps(const Progress& progress);
  Status measure_group(const Group& group, std::size_t levels, const NllMeter::Rows& rows);
  Status measure_path(const Progress& progress);
  Result<NllChange> measure_plan(const std::vector<LossyStep>& steps, NllMeter& meter,
                                 const std::vector<double>& exact, NllMeter::Rows rows);
  NllMeter::Changes changes_of(const std::vector<LossyStep>& steps) const;
  Result<double> loss_of(const Selection& selection);
  Result<double> last_change(const Plan& plan, std::size_t before);
  LossFit fit_without(const Plan& plan) const;
  Plan plan_of(const Selection& selection) const;
  bool recall(Plan& plan) const;
  void remember(Plan& plan, const NllChange& change);
  std::vector<StagedExchange> likely_exchanges(const Plan& base) const;

  model::Model& model_;
  PlanSettings settings_;
  WeightExchange exchange_;
  std::optional<NllMeter> meter_;
  std::vector<double> exact_nll_;  // of every target
  std::optional<NllMeter> held_out_meter_;
  std::vector<double> exact_held_out_;
  std::vector<TensorImportance> importance_;  // by tensor of the file
  std::vector<TensorOptions> options_;        // by tensor of the file
  std::optional<BudgetCurve> curve_;
  Schedule schedule_;
  LossFit fit_;
  std::vector<LossFit::Point> path_;
  std::vector<Plan> measured_;  // as a whole
  std::vector<Exchange> exchanges_;
  ExchangedPlan exchanged_;  // the last one
  std::size_t num_measurements_ = 0;
};

}  // namespace bankai::packer
