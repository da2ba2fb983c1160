#include "bfs/residual_search_model.h"

#include <utility>

#include "bfs/change_evaluator.h"
#include "bfs/character_search_model.h"
#include "bfs/flipped_model.h"
#include "bfs/residual_delta.h"
#include "model/character_model.h"

namespace bankai::bfs {
namespace {

class ResidualResponder final : public CharacterResponder {
 public:
  ResidualResponder(const model::Tokenizer& tokenizer, model::BinaryResidualModel model,
                    const kernels::KernelTable& table, int threads)
      : CharacterResponder(tokenizer),
        model_(std::move(model)),
        transformer_(model_, table, threads),
        characters_(transformer_) {}

 private:
  model::CharacterModel& characters() override { return characters_; }

  model::BinaryResidualModel model_;
  model::BinaryResidualTransformer transformer_;
  model::ResidualCharacterModel characters_;
};

class ResidualSearchModel final : public CharacterSearchModel<model::BinaryResidualModel> {
 public:
  using CharacterSearchModel::CharacterSearchModel;

  std::uint64_t bytes_per_token(std::span<const TensorAddress>) const override {
    const model::BinaryShape& shape = model().shape;
    const auto copies = static_cast<std::uint64_t>(threads()) + 1;  // of keys and values
    const std::uint64_t bits = (6 + 2 * copies) * shape.width + 3 * shape.feed_forward;
    const std::uint64_t floats = 4 * shape.width;  // in front of and behind each half, and added
    return shape.num_layers * (bits / 8 + floats * sizeof(float));
  }
  std::unique_ptr<FlipEvaluator> make_evaluator(const Objective& objective,
                                                std::span<const TensorAddress>) override {
    return std::make_unique<ChangeEvaluator>(
        std::make_unique<ResidualDelta>(model(), table(), threads(), objective.sequences), table(),
        threads(), objective);
  }
  std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) override {
    return std::make_unique<ResidualResponder>(tokenizer(), with_flips(model(), flips), table(),
                                               threads());
  }
};

}  // namespace

Result<std::unique_ptr<SearchModel>> make_residual_search_model(
    const model::BinaryResidualModel& model, const kernels::KernelTable& table, int threads,
    std::string name) {
  BANKAI_ASSIGN_OR_RETURN(model::Tokenizer tokenizer, character_tokenizer(model.shape.vocabulary));
  return std::unique_ptr<SearchModel>(std::make_unique<ResidualSearchModel>(
      model, table, threads, std::move(name), std::move(tokenizer)));
}

}  // namespace bankai::bfs
