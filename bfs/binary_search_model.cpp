#include "bfs/binary_search_model.h"

#include <utility>
#include <vector>

#include "bfs/binary_delta.h"
#include "bfs/binary_sensitivity.h"
#include "bfs/change_evaluator.h"
#include "bfs/character_search_model.h"
#include "bfs/flipped_model.h"
#include "model/character_model.h"

namespace bankai::bfs {
namespace {

class StrictResponder final : public CharacterResponder {
 public:
  StrictResponder(const model::Tokenizer& tokenizer, model::BinaryModel model,
                  const kernels::KernelTable& table, const model::BinaryOptions& options)
      : CharacterResponder(tokenizer),
        model_(std::move(model)),
        transformer_(model_, table, options),
        characters_(transformer_, 1.0, true) {}

 private:
  model::CharacterModel& characters() override { return characters_; }

  model::BinaryModel model_;
  model::BinaryTransformer transformer_;
  model::StrictCharacterModel characters_;
};

class StrictBinaryModel final : public CharacterSearchModel<model::BinaryModel> {
 public:
  StrictBinaryModel(const model::BinaryModel& model, const kernels::KernelTable& table,
                    const model::BinaryOptions& options, double logit_scale, std::string name,
                    model::Tokenizer tokenizer)
      : CharacterSearchModel(model, table, options.threads, std::move(name), std::move(tokenizer)),
        options_(options),
        logit_scale_(logit_scale) {}

  std::uint64_t bytes_per_token(std::span<const TensorAddress>) const override {
    const model::BinaryShape& shape = model().shape;
    const auto copies = static_cast<std::uint64_t>(threads()) + 1;  // of keys and values
    return shape.num_layers * ((7 + 2 * copies) * shape.width + 3 * shape.feed_forward) / 8;
  }
  std::unique_ptr<FlipEvaluator> make_evaluator(const Objective& objective,
                                                std::span<const TensorAddress>) override {
    return std::make_unique<ChangeEvaluator>(
        std::make_unique<BinaryDelta>(model(), table(), options_, logit_scale_,
                                      objective.sequences),
        table(), threads(), objective);
  }
  std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) override {
    return std::make_unique<StrictResponder>(tokenizer(), with_flips(model(), flips), table(),
                                             options_);
  }

  std::unique_ptr<Predictor> make_predictor(const Objective& objective,
                                            const CandidateSpace& space) override {
    return std::make_unique<BinarySensitivity>(model(), table(), options_, logit_scale_, objective,
                                               space);
  }
  void run_forward(const Objective& objective) override {
    model::BinaryTransformer transformer(model(), table(), options_);
    const BinaryTrace trace = trace_binary(transformer, objective.sequences);
    std::vector<std::int64_t> logits(trace.num_tokens() * model().shape.vocabulary);
    transformer.logits(trace.top, logits);
  }

 private:
  model::BinaryOptions options_;
  double logit_scale_;
};

}  // namespace

Result<std::unique_ptr<SearchModel>> make_binary_search_model(const model::BinaryModel& model,
                                                              const kernels::KernelTable& table,
                                                              const model::BinaryOptions& options,
                                                              double logit_scale,
                                                              std::string name) {
  BANKAI_ASSIGN_OR_RETURN(model::Tokenizer tokenizer, character_tokenizer(model.shape.vocabulary));
  return std::unique_ptr<SearchModel>(std::make_unique<StrictBinaryModel>(
      model, table, options, logit_scale, std::move(name), std::move(tokenizer)));
}

}  // namespace bankai::bfs
