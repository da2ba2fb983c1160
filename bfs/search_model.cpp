#include "bfs/search_model.h"

#include <filesystem>

#include "bfs/evaluator.h"
#include "bfs/flippable.h"
#include "bfs/overlay.h"

namespace bankai::bfs {
namespace {

class TransformerModel final : public SearchModel {
 public:
  explicit TransformerModel(model::Transformer& transformer) : transformer_(transformer) {}

  std::size_t num_layers() const override { return model().parameters().num_layers; }
  std::size_t context() const override { return model().parameters().context; }
  const model::Tokenizer& tokenizer() const override { return model().tokenizer(); }
  patch::MatrixLookup weights() const override { return flippable_weights(model()); }

  std::uint64_t layer_work() const override {
    const model::Hyperparameters& h = model().parameters();
    return h.embedding * (2 * h.query_dim() + 2 * h.kv_dim() + 3 * h.feed_forward);
  }
  std::uint64_t bytes_per_token(std::span<const TensorAddress> searched) const override {
    return Evaluator::bytes_per_node(model().parameters(), searched);
  }
  std::unique_ptr<FlipEvaluator> make_evaluator(const Objective& objective,
                                                std::span<const TensorAddress> searched) override {
    return std::make_unique<Evaluator>(transformer_, objective, searched);
  }

  std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) override {
    return bfs::make_responder(transformer_, make_overlay(model(), flips));
  }

  model::Transformer* transformer() override { return &transformer_; }

  Result<std::string> name() const override {
    const std::string stem = std::filesystem::path(model().file().path()).stem().string();
    return model().file().get_string("general.name", stem);
  }
  std::string_view precision() const override {
    return transformer_.options().activations == kernels::ActivationMode::kA8 ? "a8" : "a16";
  }
  int threads() const override { return transformer_.options().threads; }
  const kernels::KernelTable& table() const override { return transformer_.table(); }

 private:
  const model::Model& model() const { return transformer_.model(); }

  model::Transformer& transformer_;
};

}  // namespace

std::unique_ptr<SearchModel> make_search_model(model::Transformer& transformer) {
  return std::make_unique<TransformerModel>(transformer);
}

}  // namespace bankai::bfs
