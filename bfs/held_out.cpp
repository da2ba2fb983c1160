#include "bfs/held_out.h"

#include "bfs/fitness.h"

namespace bankai::bfs {

Result<HeldOut> HeldOut::create(model::Transformer& transformer,
                                const std::vector<WeightedData>& data, std::size_t text_context) {
  HeldOut held_out(transformer);
  ObjectiveBuilder builder(transformer.model().tokenizer(), text_context);
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
  held_out.evaluator_ = std::make_unique<Evaluator>(transformer, *held_out.objective_,
                                                    std::span<const TensorAddress>());
  return held_out;
}

double HeldOut::gain(const model::RowOverlay& overlay) {
  return mean_score(*objective_, evaluator_->evaluate_overlay(overlay), false) -
         mean_score(*objective_, evaluator_->base_scores(), false);
}

HeldOutResult HeldOut::compare(const model::RowOverlay& overlay, const AnswerOptions& options) {
  HeldOutResult result;
  result.score_before = mean_score(*objective_, evaluator_->base_scores(), false);
  result.score_after = result.score_before + gain(overlay);
  result.num_probes = probes_.size();
  const std::vector<Answer> before = generate_answers(*transformer_, {}, probes_, options);
  const std::vector<Answer> after =
      generate_answers(*transformer_, {&overlay, {}}, probes_, options);
  result.correct_before = count_correct(before);
  result.correct_after = count_correct(after);
  const AnswerChange change = compare_answers(before, after);
  for (const std::size_t i : change.fixed) result.fixed.push_back(probes_[i].name);
  for (const std::size_t i : change.broken) result.broken.push_back(probes_[i].name);
  return result;
}

}  // namespace bankai::bfs
