#include "tests/bfs/reference_model.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/scoring.h"
#include "patch/apply.h"

namespace bankai::bfs {

using model::TokenId;

FlippedModel::FlippedModel(const model::Model& base, std::span<const patch::Flip> flips)
    : bytes_(base.file().bytes().begin(), base.file().bytes().end()) {
  patch::ShapeTable shapes;
  for (const TensorAddress address : base.bit_matrix_addresses()) {
    const BitMatrixView matrix = *base.bit_matrix(address);
    shapes[address] = {static_cast<std::uint32_t>(matrix.rows()),
                       static_cast<std::uint32_t>(matrix.cols())};
  }
  const auto lookup = [&](TensorAddress address) -> std::optional<MutableBitMatrixView> {
    const kernels::WeightRows& weights = base.find_matrix(address)->weights;
    const std::byte* begin = base.file().bytes().data();
    const auto offset = reinterpret_cast<const std::byte*>(weights.data) - begin;
    return MutableBitMatrixView::from_q1_0(bytes_.data() + offset, weights.rows, weights.cols);
  };
  const auto set = patch::FlipSet::make({flips.begin(), flips.end()}, shapes);
  if (!set.ok() || !patch::toggle_flips(*set, lookup).ok())
    throw std::runtime_error("flips outside the model");
  auto file = model::GgufFile::parse(bytes_, "flipped copy");
  if (!file.ok()) throw std::runtime_error(file.error().message);
  auto model = model::Model::from_file(std::move(file).value());
  if (!model.ok()) throw std::runtime_error(model.error().message);
  model_ = std::move(model).value();
}

std::vector<double> plain_scores(model::Transformer& transformer, const Objective& objective) {
  std::vector<model::ScoredSequence> sequences;
  for (const Term& term : objective.terms) {
    const std::vector<TokenId>& inputs = objective.sequences[term.sequence];
    std::vector<TokenId> tokens(inputs.begin(), inputs.begin() + term.row + 1);
    tokens.push_back(term.token);
    const std::size_t first_target = tokens.size() - 1;
    sequences.push_back({std::move(tokens), first_target});
  }
  const std::vector<std::vector<double>> values =
      model::score_sequences(transformer, {}, sequences);
  std::vector<double> scores;
  for (const Item& item : objective.items) {
    double sum = 0.0;
    for (std::size_t i = item.first_term; i < item.last_term; ++i)
      sum += objective.terms[i].coefficient * values[i][0];
    scores.push_back(item_score(item, sum));
  }
  return scores;
}

std::vector<double> reference_log_probabilities(model::Transformer& transformer,
                                                std::span<const TokenId> inputs) {
  const model::Hyperparameters& h = transformer.model().parameters();
  std::vector<float> x(inputs.size() * h.embedding);
  const model::Segment segment{0, inputs.size(), nullptr, 0};
  transformer.embed(inputs, {}, x.data());
  transformer.run_layers(0, h.num_layers, {&segment, 1}, {}, x.data());
  std::vector<float> logits(h.vocabulary);
  transformer.logits(1, x.data() + (inputs.size() - 1) * h.embedding, {}, logits.data());
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  std::vector<double> logs;
  for (const float logit : logits)
    logs.push_back(static_cast<double>(logit) - largest - std::log(sum));
  return logs;
}

double reference_log_probability(model::Transformer& transformer, std::span<const TokenId> prompt,
                                 std::span<const TokenId> continuation) {
  std::vector<TokenId> inputs(prompt.begin(), prompt.end());
  double sum = 0.0;
  for (const TokenId token : continuation) {
    sum += reference_log_probabilities(transformer, inputs)[static_cast<std::size_t>(token)];
    inputs.push_back(token);
  }
  return sum;
}

}  // namespace bankai::bfs
