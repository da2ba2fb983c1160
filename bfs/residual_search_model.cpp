#include "bfs/residual_search_model.h"

#include <utility>

#include "bfs/binary_search_model.h"
#include "bfs/change_evaluator.h"
#include "bfs/flipped_model.h"
#include "bfs/residual_delta.h"
#include "model/binary_matrices.h"
#include "model/character_model.h"

namespace bankai::bfs {
namespace {

// What a word operation does in the time of a multiply-add.
constexpr std::uint64_t kBitsPerStep = 64;

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

class ResidualSearchModel final : public SearchModel {
 public:
  ResidualSearchModel(const model::BinaryResidualModel& model, const kernels::KernelTable& table,
                      int threads, std::string name, model::Tokenizer tokenizer)
      : model_(model),
        table_(table),
        threads_(threads),
        name_(std::move(name)),
        tokenizer_(std::move(tokenizer)) {}

  std::size_t num_layers() const override { return model_.shape.num_layers; }
  std::size_t context() const override { return model_.shape.context; }
  const model::Tokenizer& tokenizer() const override { return tokenizer_; }
  patch::MatrixLookup weights() const override {
    return [this](TensorAddress address) -> std::optional<patch::WeightView> {
      return model::bit_view(model::find_binary_matrix(model_, address));
    };
  }

  std::uint64_t layer_work() const override {
    const model::BinaryShape& shape = model_.shape;
    return shape.width * (4 * shape.width + 3 * shape.feed_forward) / kBitsPerStep;
  }
  std::uint64_t bytes_per_token(std::span<const TensorAddress>) const override {
    const model::BinaryShape& shape = model_.shape;
    const auto copies = static_cast<std::uint64_t>(threads_) + 1;  // of keys and values
    const std::uint64_t bits = (6 + 2 * copies) * shape.width + 3 * shape.feed_forward;
    const std::uint64_t floats = 4 * shape.width;  // in front of and behind each half, and added
    return shape.num_layers * (bits / 8 + floats * sizeof(float));
  }
  std::unique_ptr<FlipEvaluator> make_evaluator(const Objective& objective,
                                                std::span<const TensorAddress>) override {
    return std::make_unique<ChangeEvaluator>(
        std::make_unique<ResidualDelta>(model_, table_, threads_, objective.sequences), table_,
        threads_, objective);
  }

  std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) override {
    return std::make_unique<ResidualResponder>(tokenizer_, with_flips(model_, flips), table_,
                                               threads_);
  }
  // The head; the embedding has no signs.
  bool searches_tables() const override { return true; }

  model::Transformer* transformer() override { return nullptr; }

  Result<std::string> name() const override { return name_; }
  std::string_view precision() const override { return "1 bit"; }
  int threads() const override { return threads_; }
  const kernels::KernelTable& table() const override { return table_; }

 private:
  const model::BinaryResidualModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  std::string name_;
  model::Tokenizer tokenizer_;
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
