// Held-out data: never searched on, scored to stop early and to prove the result. Ranks share the
// work; the results are those of one rank.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bfs/answer_check.h"
#include "bfs/group_evaluator.h"
#include "bfs/objective.h"
#include "bfs/search_options.h"
#include "model/transformer.h"

namespace bankai::bfs {

struct HeldOutResult {
  double score_before = 0.0;  // mean log-probability of right answers and texts
  double score_after = 0.0;
  std::size_t num_probes = 0;
  std::size_t correct_before = 0;
  std::size_t correct_after = 0;
  std::vector<std::string> fixed;  // names of probes
  std::vector<std::string> broken;
  // More probes fixed than broken, and chance does as well in at most a share `level` of cases
  // (chance_of); without probes, a better score.
  bool generalises(double level) const {
    if (num_probes == 0) return score_after > score_before;
    return fixed.size() > broken.size() && chance_of(fixed.size(), broken.size()) <= level;
  }
};

class HeldOut {
 public:
  // Collective, as are its end, gain() and compare(). Scores use the nll metric whatever the
  // search's metric is. References must outlive this.
  static Result<HeldOut> create(SearchModel& model, mpi::Communicator& communicator,
                                const std::vector<WeightedData>& data, std::size_t text_context);
  static Result<HeldOut> create(model::Transformer& transformer, mpi::Communicator& communicator,
                                const std::vector<WeightedData>& data, std::size_t text_context);

  bool empty() const { return objective_->items.empty(); }
  // How much the weighted mean score gains by the flips.
  double gain(std::span<const patch::Flip> flips);
  struct Scores {  // means, as gain() compares them
    double before = 0.0;
    double after = 0.0;
  };
  // The proof: scores and generated answers, without and with the flips. `known`: the scores, where
  // they have been computed already.
  HeldOutResult compare(std::span<const patch::Flip> flips, std::optional<Scores> known = {});

 private:
  HeldOut(SearchModel& model, mpi::Communicator& communicator)
      : model_(&model), communicator_(&communicator) {}
  // Made when first asked for; then base_score_ is known.
  GroupEvaluator& evaluator();
  std::vector<Answer> answers(std::span<const patch::Flip> flips);

  std::unique_ptr<SearchModel> own_model_;  // where the caller has a transformer
  SearchModel* model_;
  mpi::Communicator* communicator_;
  std::vector<Probe> probes_;
  std::unique_ptr<Objective> objective_;  // the evaluator keeps references
  std::unique_ptr<mpi::RankGroups> groups_;
  std::unique_ptr<GroupEvaluator> evaluator_;
  double base_score_ = 0.0;
};

}  // namespace bankai::bfs
