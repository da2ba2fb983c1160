#include "bfs/binary_sensitivity.h"

#include <algorithm>
#include <map>
#include <optional>

#include "bfs/edge_predictions.h"
#include "bfs/flipped_model.h"
#include "mpi/agreement.h"

namespace bankai::bfs {
namespace {

constexpr std::uint64_t kTableBytes = std::uint64_t{1} << 30U;  // of predicted changes, per rank
}  // namespace

BinarySensitivity::BinarySensitivity(const model::BinaryModel& model,
                                     const kernels::KernelTable& table,
                                     const model::BinaryOptions& options, double logit_scale,
                                     const Objective& objective, const CandidateSpace& space)
    : model_(model),
      table_(table),
      options_(options),
      logit_scale_(logit_scale),
      objective_(objective),
      space_(space) {}

BinarySensitivity::Sequences BinarySensitivity::sequences_of(const Item& item,
                                                             std::span<const float> slopes) const {
  std::map<std::uint32_t, std::size_t> length;
  for (std::size_t i = item.first_term; i < item.last_term; ++i) {
    const Term& term = objective_.terms[i];
    length[term.sequence] = std::max(length[term.sequence], std::size_t{term.row} + 1);
  }
  Sequences result;
  std::map<std::uint32_t, std::size_t> first;
  std::size_t num_tokens = 0;
  for (const auto& [sequence, tokens] : length) {
    const std::vector<model::TokenId>& all = objective_.sequences[sequence];
    first[sequence] = num_tokens;
    result.tokens.emplace_back(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(tokens));
    num_tokens += tokens;
  }
  for (std::size_t i = item.first_term; i < item.last_term; ++i) {
    const Term& term = objective_.terms[i];
    const double slope =
        term.token == kWholeDistribution ? term.coefficient : static_cast<double>(slopes[i]);
    result.terms.push_back({first[term.sequence] + term.row, term.token, slope});
  }
  std::stable_sort(result.terms.begin(), result.terms.end(),
                   [](const TracedTerm& a, const TracedTerm& b) { return a.token < b.token; });
  return result;
}

std::vector<IndexRange> BinarySensitivity::passes() const {
  std::vector<IndexRange> passes;
  std::uint64_t bytes = 0;
  for (std::size_t tensor = 0; tensor < space_.tensors().size(); ++tensor) {
    const std::uint64_t more =
        (space_.first(tensor + 1) - space_.first(tensor)) * sizeof(PredictedChange);
    if (passes.empty() || bytes + more > kTableBytes) {
      passes.push_back({tensor, tensor});
      bytes = 0;
    }
    passes.back().end = tensor + 1;
    bytes += more;
  }
  return passes;
}

void BinarySensitivity::predict_layer(const model::BinaryTransformer& transformer,
                                      std::size_t layer, const BinaryTrace& trace,
                                      const LayerSums& sums, const LayerEffects& effects,
                                      IndexRange tensors, const ItemChanges& changes) const {
  const model::BinaryLayer& weights = transformer.model().layers[layer];
  const model::BinaryActivations& bits = trace.layers[layer];
  const auto predict = [&](std::size_t tensor, const MatrixEffects& matrix) {
    predict_matrix(table_, options_.threads, space_, tensor, matrix, changes);
  };
  for (std::size_t i = tensors.begin; i < tensors.end; ++i) {
    if (space_.tensors()[i].layer != layer) continue;
    switch (space_.tensors()[i].projection) {
      case Projection::kGate:
        predict(i, {&weights.gate, &bits.state, &sums.gate, &effects.hidden, &effects.hidden});
        break;
      case Projection::kUp:
        predict(i, {&weights.up, &bits.state, &sums.up, &effects.hidden, &effects.hidden});
        break;
      case Projection::kDown:
        predict(i, {&weights.down, &bits.hidden, &sums.down, &effects.down, &effects.down});
        break;
      case Projection::kQuery:
        predict(i, {&weights.q, &bits.state, &sums.q, &effects.q, &effects.q});
        break;
      case Projection::kKey:  // the same bit of all keys is the same bit of the query
        predict(i, {&weights.k, &bits.state, &sums.k, &effects.k, &effects.q});
        break;
      case Projection::kValue:
        predict(i, {&weights.v, &bits.state, &sums.v, &effects.v, &effects.v});
        break;
      case Projection::kOutput:
        predict(i, {&weights.o, &bits.attended, &sums.o, &effects.o, &effects.o});
        break;
      case Projection::kEmbedding:
      case Projection::kHead: break;
    }
  }
}

void BinarySensitivity::predict_item(model::BinaryTransformer& transformer,
                                     const Sequences& sequences, IndexRange tensors,
                                     const ItemChanges& changes) const {
  const BinaryTrace trace = trace_binary(transformer, sequences.tokens);
  const double unit = logit_scale_ / static_cast<double>(model_.logit_multiplier);
  const std::vector<TokenView> views = view_logits(transformer, trace, sequences.terms, unit);
  const double step = 2.0 * logit_scale_;  // a logit is scale · Σ ±1, and more
  std::size_t lowest = model_.layers.size();
  std::optional<std::size_t> embedding;
  for (std::size_t i = tensors.begin; i < tensors.end; ++i) {
    const TensorAddress tensor = space_.tensors()[i];
    if (tensor.projection == Projection::kHead)
      predict_codebook(transformer, trace, views, logit_scale_, space_, i, changes);
    else
      lowest = std::min<std::size_t>(lowest, tensor.layer);
    if (tensor.projection == Projection::kEmbedding) embedding = i;
  }
  BitEffects above = top_effects(transformer, trace, views, step);
  for (std::size_t layer = model_.layers.size(); layer-- > lowest;) {
    const LayerSums sums = layer_sums(transformer, layer, trace.layers[layer]);
    LayerEffects effects = layer_effects(transformer, layer, trace, sums, above);
    predict_layer(transformer, layer, trace, sums, effects, tensors, changes);
    above = std::move(effects.state);
  }
  if (!embedding) return;
  std::vector<model::TokenId> tokens;
  for (const auto& sequence : sequences.tokens)
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  predict_embedding(model_.shape, tokens, above, space_, *embedding, changes);
}

Result<std::uint64_t> BinarySensitivity::run(
    mpi::Communicator& communicator, std::span<const patch::Flip> state,
    std::span<const std::size_t> used, std::span<const double> base, std::span<const double> scores,
    const std::function<bool()>& should_stop, ChangeSink& sink) {
  const std::vector<ItemEffect> effects = item_effects(objective_, used, base, scores, false);
  const model::BinaryModel changed = with_flips(model_, state);
  model::BinaryTransformer transformer(changed, table_, options_);
  const IndexRange mine = part_of(used.size(), static_cast<std::size_t>(communicator.size()),
                                  static_cast<std::size_t>(communicator.rank()));
  const std::vector<float> slopes = term_slopes(objective_, scores);
  std::uint64_t num_tokens = 0;
  for (const std::size_t i : used)
    for (const auto& sequence : sequences_of(objective_.items[i], slopes).tokens)
      num_tokens += sequence.size();
  std::uint64_t work = 0;
  for (const IndexRange tensors : passes()) {
    ChangeTable table(space_.first(tensors.begin),
                      space_.first(tensors.end) - space_.first(tensors.begin));
    Status status;
    for (std::size_t i = mine.begin; i < mine.end && status.ok(); ++i) {
      if (should_stop()) status = Error{ErrorCode::kStopped, "stopped"};
      if (status.ok())
        predict_item(transformer, sequences_of(objective_.items[used[i]], slopes), tensors,
                     ItemChanges(effects[used[i]], table));
    }
    BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, status));
    communicator.all_reduce(table.target_gains(), mpi::ReduceOp::kSum);
    communicator.all_reduce(table.control_losses(), mpi::ReduceOp::kSum);
    table.emit(space_, tensors, sink);
    work += 4 * model_.layers.size() * num_tokens;
  }
  return work;
}

}  // namespace bankai::bfs
