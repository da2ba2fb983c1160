#include "bfs/binary_search_model.h"

#include <utility>

#include "bfs/binary_delta.h"
#include "bfs/binary_sensitivity.h"
#include "bfs/change_evaluator.h"
#include "bfs/flipped_model.h"
#include "model/binary_matrices.h"
#include "model/binary_text.h"
#include "model/byte_alphabet.h"
#include "model/tokenizer_metadata.h"

namespace bankai::bfs {
namespace {

// What a word operation does in the time of a multiply-add.
constexpr std::uint64_t kBitsPerStep = 64;

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

class StrictBinaryModel final : public SearchModel {
 public:
  StrictBinaryModel(const model::BinaryModel& model, const kernels::KernelTable& table,
                    const model::BinaryOptions& options, double logit_scale, std::string name,
                    model::Tokenizer tokenizer)
      : model_(model),
        table_(table),
        options_(options),
        logit_scale_(logit_scale),
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
    const auto copies = static_cast<std::uint64_t>(options_.threads) + 1;  // of keys and values
    return shape.num_layers * ((7 + 2 * copies) * shape.width + 3 * shape.feed_forward) / 8;
  }
  std::unique_ptr<FlipEvaluator> make_evaluator(const Objective& objective,
                                                std::span<const TensorAddress>) override {
    return std::make_unique<ChangeEvaluator>(
        std::make_unique<BinaryDelta>(model_, table_, options_, logit_scale_, objective.sequences),
        table_, options_.threads, objective);
  }

  std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) override {
    return std::make_unique<StrictResponder>(tokenizer_, with_flips(model_, flips), table_,
                                             options_);
  }
  std::unique_ptr<Predictor> make_predictor(const Objective& objective,
                                            const CandidateSpace& space) override {
    return std::make_unique<BinarySensitivity>(model_, table_, options_, logit_scale_, objective,
                                               space);
  }
  void run_forward(const Objective& objective) override {
    model::BinaryTransformer transformer(model_, table_, options_);
    const BinaryTrace trace = trace_binary(transformer, objective.sequences);
    std::vector<std::int64_t> logits(trace.num_tokens() * model_.shape.vocabulary);
    transformer.logits(trace.top, logits);
  }
  bool searches_tables() const override { return true; }

  model::Transformer* transformer() override { return nullptr; }

  Result<std::string> name() const override { return name_; }
  std::string_view precision() const override { return "1 bit"; }
  int threads() const override { return options_.threads; }
  const kernels::KernelTable& table() const override { return table_; }

 private:
  const model::BinaryModel& model_;
  const kernels::KernelTable& table_;
  model::BinaryOptions options_;
  double logit_scale_;
  std::string name_;
  model::Tokenizer tokenizer_;
};

Status check_text(const std::string& text, const std::string& where, std::size_t vocabulary) {
  const auto tokens = model::encode_characters(text, vocabulary);
  if (!tokens.ok()) return with_context(tokens.error(), where);
  return {};
}

}  // namespace

Result<model::Tokenizer> character_tokenizer(std::size_t vocabulary) {
  BANKAI_RETURN_IF_ERROR(model::encode_characters("", vocabulary));
  std::vector<std::string> texts(vocabulary);
  model::TokenizerMetadata metadata;
  metadata.source = "characters";
  metadata.pre = "gpt-2";
  metadata.unknown = 0;  // for bytes beyond the vocabulary, which check_binary_data refuses
  for (std::size_t i = 0; i < vocabulary; ++i) {
    const auto byte = static_cast<char>(i);
    model::append_alphabet_text({&byte, 1}, texts[i]);
    metadata.tokens.push_back(texts[i]);
  }
  return model::Tokenizer::from_metadata(metadata);
}

Result<std::unique_ptr<SearchModel>> make_binary_search_model(const model::BinaryModel& model,
                                                              const kernels::KernelTable& table,
                                                              const model::BinaryOptions& options,
                                                              double logit_scale,
                                                              std::string name) {
  BANKAI_ASSIGN_OR_RETURN(model::Tokenizer tokenizer, character_tokenizer(model.shape.vocabulary));
  return std::unique_ptr<SearchModel>(std::make_unique<StrictBinaryModel>(
      model, table, options, logit_scale, std::move(name), std::move(tokenizer)));
}

Status check_binary_data(const SearchData& data, std::size_t vocabulary) {
  for (const auto* sources : {&data.targets, &data.controls, &data.held_out})
    for (const WeightedData& source : *sources) {
      const std::string& path = source.data.path;
      for (const std::string& text : source.data.texts)
        BANKAI_RETURN_IF_ERROR(check_text(text, path, vocabulary));
      for (const Probe& probe : source.data.probes) {
        std::vector<std::string> texts = {probe.prompt, probe.correct, probe.wrong};
        texts.insert(texts.end(), probe.alternates.begin(), probe.alternates.end());
        for (const std::string& text : texts)
          BANKAI_RETURN_IF_ERROR(check_text(text, path + ": probe " + probe.name, vocabulary));
      }
    }
  return {};
}

}  // namespace bankai::bfs
