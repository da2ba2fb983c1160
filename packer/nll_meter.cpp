#include "packer/nll_meter.h"

#include <cmath>
#include <utility>

#include "core/check.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kBlockTokens = 1024;  // of a block, at least one sequence

}  // namespace

NllMeter::NllMeter(WeightExchange& weights, const model::Model& model,
                   const kernels::KernelTable& table, model::ForwardOptions options,
                   const std::vector<model::ScoredSequence>& sequences)
    : exchange_(weights),
      model_(model),
      transformer_(model, table, options),
      scorer_(transformer_) {
  for (const model::ScoredSequence& sequence : sequences) {
    if (blocks_.empty() || blocks_.back().tokens.size() + sequence.num_inputs() > kBlockTokens)
      blocks_.push_back({num_tokens_, {}, {}});
    Block& block = blocks_.back();
    for (std::size_t i = sequence.first_target; i < sequence.tokens.size(); ++i)
      queries_.push_back({num_tokens_ + i - 1, sequence.tokens[i]});
    block.segments.push_back({block.tokens.size(), sequence.num_inputs()});
    block.tokens.insert(block.tokens.end(), sequence.tokens.begin(), sequence.tokens.end() - 1);
    num_tokens_ += sequence.num_inputs();
  }
}

void NllMeter::advance(Rows& rows, std::size_t stage) {
  BANKAI_CHECK(stage < exchange_.num_stages(), "the last stage gives no rows");
  const std::size_t width = model_.parameters().embedding;
  rows.x.resize(num_tokens_ * width);
  for (; rows.stage < stage; ++rows.stage) {
    for (const Block& block : blocks_) {
      float* const x = rows.x.data() + block.first_token * width;
      if (rows.stage == 0)
        transformer_.embed(block.tokens, {}, x);
      else
        transformer_.run_layers(rows.stage - 1, rows.stage, block.segments, {}, x);
    }
  }
}

std::vector<double> NllMeter::finish(Rows rows) {
  advance(rows, exchange_.num_stages() - 1);
  std::vector<double> nll(queries_.size());
  scorer_.log_probabilities(rows.x.data(), queries_, {}, nll);
  for (double& value : nll) value = -value;
  return nll;
}

Status NllMeter::put_changes(std::size_t stage, const Changes& changes) {
  exchange_.restore();
  for (const std::size_t tensor : exchange_.stage_tensors(stage)) {
    BANKAI_ASSIGN_OR_RETURN(std::optional<LossyTensor> change, changes(tensor));
    if (change) BANKAI_RETURN_IF_ERROR(exchange_.put(tensor, std::move(*change)));
  }
  return {};
}

Status NllMeter::advance(Rows& rows, std::size_t stage, const Changes& changes) {
  while (rows.stage < stage) {
    BANKAI_RETURN_IF_ERROR(put_changes(rows.stage, changes));
    advance(rows, rows.stage + 1);
  }
  exchange_.restore();
  return {};
}

Result<std::vector<double>> NllMeter::measure(const Changes& changes, Rows rows) {
  const std::size_t last = exchange_.num_stages() - 1;
  BANKAI_RETURN_IF_ERROR(advance(rows, last, changes));
  BANKAI_RETURN_IF_ERROR(put_changes(last, changes));
  std::vector<double> nll = finish(std::move(rows));
  exchange_.restore();
  return nll;
}

NllChange compare_nll(std::span<const double> before, std::span<const double> after) {
  BANKAI_CHECK(before.size() == after.size() && !before.empty(), "other targets");
  const auto count = static_cast<double>(before.size());
  const auto change = [&](std::size_t i) {
    return (std::isfinite(after[i]) ? after[i] : kUselessNll) - before[i];
  };
  double sum = 0.0, squares = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) sum += change(i);
  const double mean = sum / count;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double deviation = change(i) - mean;
    squares += deviation * deviation;
  }
  return {mean, before.size() > 1 ? std::sqrt(squares / (count - 1.0) / count) : 0.0};
}

}  // namespace bankai::packer
