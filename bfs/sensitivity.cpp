#include "bfs/sensitivity.h"

#include <algorithm>

#include "bfs/evaluator.h"
#include "bfs/sensitivity_visitor.h"
#include "mpi/agreement.h"

namespace bankai::bfs {
namespace {

// Tokens of a block, of which residual rows and digits are kept; most calibration sets are one
// block, which needs no sums over blocks.
constexpr std::size_t kBlockTokens = 4096;

std::uint64_t table_bytes(const CandidateSpace& space, std::size_t tensor) {
  return (space.first(tensor + 1) - space.first(tensor)) * sizeof(PredictedChange);
}

// Where the lowest of the tensors enters: the attention of a layer comes after its feed-forward in
// the order of tensors, but before it in the model.
HalfLayer lowest_half_layer(const CandidateSpace& space, IndexRange tensors) {
  HalfLayer lowest = half_layer_of(space.tensors()[tensors.begin]);
  for (std::size_t i = tensors.begin; i < tensors.end; ++i)
    lowest = std::min(lowest, half_layer_of(space.tensors()[i]));
  return lowest;
}

}  // namespace

Sensitivity::Sensitivity(model::Transformer& transformer, const Objective& objective,
                         const CandidateSpace& space, const SensitivityOptions& options)
    : transformer_(transformer),
      objective_(objective),
      space_(space),
      options_(options),
      backward_(transformer, options.activation_bytes, {.fine = options.fine}) {}

std::vector<IndexRange> Sensitivity::passes() const {
  std::vector<IndexRange> passes;
  std::uint64_t bytes = 0;
  for (std::size_t tensor = 0; tensor < space_.tensors().size(); ++tensor) {
    const std::uint64_t more = table_bytes(space_, tensor);
    if (passes.empty() || bytes + more > options_.table_bytes) {
      passes.push_back({tensor, tensor});
      bytes = 0;
    }
    passes.back().end = tensor + 1;
    bytes += more;
  }
  return passes;
}

void Sensitivity::run_block(const ItemBlock& block, IndexRange tensors,
                            const model::RowOverlay& state, std::span<const ItemEffect> effects,
                            std::span<const float> slopes, ChangeSink& sink) {
  SensitivityVisitor visitor(transformer_, space_, tensors, state, effects, block, sink);
  const kernels::KernelTable& table = transformer_.table();
  std::vector<std::size_t> rows;
  for (const ItemBlock::ScoredRow& scored : block.scored) rows.push_back(scored.row);
  // The gradient of Σ coefficient · ln P(token): coefficient · (1 at the token − P); of e to the
  // sum, that times the score.
  const auto logit_gradient = [&](std::size_t i, std::span<const float> logits,
                                  std::span<float> gradient) {
    std::copy(logits.begin(), logits.end(), gradient.begin());
    const float sum = table.exponentials(gradient.data(), gradient.size());
    float total = 0.0F;
    for (const std::size_t term : block.scored[i].terms) total += slopes[term];
    const float factor = -total / sum;
    for (float& value : gradient) value *= factor;
    for (const std::size_t term : block.scored[i].terms)
      if (objective_.terms[term].token != kWholeDistribution)
        gradient[static_cast<std::size_t>(objective_.terms[term].token)] += slopes[term];
  };
  const HalfLayer lowest = lowest_half_layer(space_, tensors);
  backward_.run(block.tokens, block.segments, {&state, {}}, rows, logit_gradient,
                {lowest.layer, lowest.is_ffn}, visitor, block.slices);
}

Result<std::uint64_t> Sensitivity::run(mpi::Communicator& communicator,
                                       const model::RowOverlay& state,
                                       std::span<const std::size_t> used,
                                       std::span<const double> base, std::span<const double> scores,
                                       const std::function<bool()>& should_stop, ChangeSink& sink) {
  const std::vector<ItemEffect> effects =
      item_effects(objective_, used, base, scores, options_.curvature);
  const std::vector<float> slopes = term_slopes(objective_, scores);
  const std::vector<std::size_t> order = block_order(objective_, used);
  const std::vector<IndexRange> slices = item_slices(objective_, order);
  const std::vector<ItemBlock> all = make_item_blocks(objective_, order, slices, kBlockTokens);
  std::uint64_t num_tokens = 0;
  for (const ItemBlock& block : all) num_tokens += block.tokens.size();
  // Ranks share slices, unless one block would do and the sums of all candidates do not fit into
  // memory together: several passes cost more than they save.
  const bool fits = space_.size() <= options_.table_bytes / sizeof(PredictedChange);
  const bool is_shared = communicator.size() > 1 && slices.size() > 1 && (fits || all.size() > 1);
  if (!is_shared && all.size() == 1) {  // nothing to add up: no memory for sums and no messages
    const IndexRange tensors{0, space_.tensors().size()};
    const Status status = should_stop() ? Status(Error{ErrorCode::kStopped, "stopped"}) : Status();
    BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, status));
    run_block(all.front(), tensors, state, effects, slopes, sink);
    return num_tokens * pass_cost(tensors);
  }
  const IndexRange mine = part_of(slices.size(), static_cast<std::size_t>(communicator.size()),
                                  static_cast<std::size_t>(communicator.rank()));
  const std::vector<ItemBlock> blocks = make_item_blocks(
      objective_, order, std::span(slices).subspan(mine.begin, mine.size()), kBlockTokens);
  std::uint64_t work = 0;
  for (const IndexRange tensors : passes()) {
    work += num_tokens * pass_cost(tensors);
    ChangeTable table(space_.first(tensors.begin),
                      space_.first(tensors.end) - space_.first(tensors.begin));
    Status status;
    for (std::size_t i = 0; i < blocks.size() && status.ok(); ++i) {
      if (should_stop()) status = Error{ErrorCode::kStopped, "stopped"};
      if (status.ok()) run_block(blocks[i], tensors, state, effects, slopes, table);
    }
    BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, status));
    communicator.all_reduce(table.target_gains(), mpi::ReduceOp::kSum);
    communicator.all_reduce(table.control_losses(), mpi::ReduceOp::kSum);
    table.emit(space_, tensors, sink);
  }
  return work;
}

// In half-layers per token.
std::uint64_t Sensitivity::pass_cost(IndexRange tensors) const {
  const HalfLayer lowest = lowest_half_layer(space_, tensors);
  const std::size_t num_layers = transformer_.model().parameters().num_layers;
  return 2 * num_layers + 2 * half_layers_from(lowest, num_layers);
}

}  // namespace bankai::bfs
