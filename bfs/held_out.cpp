#include "bfs/held_out.h"

#include <utility>

#include "bfs/fitness.h"

namespace bankai::bfs {

Result<HeldOut> HeldOut::create(model::Transformer& transformer, mpi::Communicator& communicator,
                                const std::vector<WeightedData>& data, std::size_t text_context) {
  std::unique_ptr<SearchModel> model = make_search_model(transformer);
  BANKAI_ASSIGN_OR_RETURN(HeldOut held_out, create(*model, communicator, data, text_context));
  held_out.own_model_ = std::move(model);
  return held_out;
}

Result<HeldOut> HeldOut::create(SearchModel& model, mpi::Communicator& communicator,
                                const std::vector<WeightedData>& data, std::size_t text_context) {
  HeldOut held_out(model, communicator);
  ObjectiveBuilder builder(model.tokenizer(), text_context);
  for (const WeightedData& source : data) {
    for (const Probe& probe : source.data.probes) {
      BANKAI_RETURN_IF_ERROR(builder.add_probe(probe, Metric::kNll, source.weight, false, {}));
      held_out.probes_.push_back(probe);
    }
    for (const std::string& text : source.data.texts)
      BANKAI_RETURN_IF_ERROR(
          builder.add_text(source.data.path, text, Metric::kNll, source.weight, false));
  }
  held_out.objective_ = std::make_unique<Objective>(std::move(builder).build());
  const int ranks = communicator.size();
  if (ranks > 1)
    held_out.groups_ =
        std::make_unique<mpi::RankGroups>(communicator, mpi::GroupLayout(ranks, ranks));
  return held_out;
}

GroupEvaluator& HeldOut::evaluator() {
  if (evaluator_ == nullptr) {
    evaluator_ = std::make_unique<GroupEvaluator>(
        *model_, *objective_, std::span<const TensorAddress>(), *communicator_, groups_.get());
    base_score_ = mean_score(*objective_, evaluator_->base_scores(), false);
  }
  return *evaluator_;
}

double HeldOut::gain(std::span<const patch::Flip> flips) {
  const double score = mean_score(*objective_, evaluator().evaluate_patch(flips), false);
  return score - base_score_;
}

// Whether each probe is answered right; each rank generates the answers to some.
std::vector<Answer> HeldOut::answers(std::span<const patch::Flip> flips) {
  const IndexRange mine = part_of(probes_.size(), static_cast<std::size_t>(communicator_->size()),
                                  static_cast<std::size_t>(communicator_->rank()));
  AnswerOptions options;
  options.only_verdicts = true;
  std::vector<std::byte> correct;
  for (const Answer& answer :
       generate_answers(*model_->make_responder(flips),
                        std::span(probes_).subspan(mine.begin, mine.size()), options))
    correct.push_back(answer.correct ? std::byte{1} : std::byte{0});
  std::vector<Answer> all;
  for (const std::vector<std::byte>& part : communicator_->all_gather(correct))
    for (const std::byte one : part) all.push_back({"", one != std::byte{0}});
  return all;
}

HeldOutResult HeldOut::compare(std::span<const patch::Flip> flips, std::optional<Scores> known) {
  if (!known) {
    const double gained = gain(flips);
    known = Scores{base_score_, base_score_ + gained};
  }
  HeldOutResult result;
  result.score_before = known->before;
  result.score_after = known->after;
  result.num_probes = probes_.size();
  if (probes_.empty()) return result;
  const std::vector<Answer> before = answers({});
  const std::vector<Answer> after = answers(flips);
  result.correct_before = count_correct(before);
  result.correct_after = count_correct(after);
  const AnswerChange change = compare_answers(before, after);
  for (const std::size_t i : change.fixed) result.fixed.push_back(probes_[i].name);
  for (const std::size_t i : change.broken) result.broken.push_back(probes_[i].name);
  return result;
}

}  // namespace bankai::bfs
