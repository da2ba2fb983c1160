#include "bfs/sensitivity_visitor.h"

#include <algorithm>
#include <utility>

#include "model/parallel.h"

namespace bankai::bfs {
namespace {

// activation (n) of gate, and factors (n) = gradient · up.
void prepare_gate(const model::Transformer& transformer, const model::FfnGradients& gradients,
                  IndexRange some, float* activation, float* factors) {
  constexpr std::size_t kTogether = 256;
  float ones[kTogether];
  std::fill(ones, ones + kTogether, 1.0F);
  for (std::size_t i = some.begin; i < some.end; i += kTogether)
    transformer.activate(gradients.gate.output + i, ones, std::min(kTogether, some.end - i),
                         activation + i);
  for (std::size_t i = some.begin; i < some.end; ++i)
    factors[i] = gradients.hidden_gradient[i] * gradients.up.output[i];
}

}  // namespace

SensitivityVisitor::SensitivityVisitor(model::Transformer& transformer, const CandidateSpace& space,
                                       IndexRange tensors, const model::RowOverlay& state,
                                       std::span<const ItemEffect> effects, const ItemBlock& block,
                                       ChangeSink& sink)
    : transformer_(transformer),
      space_(space),
      tensors_(tensors),
      state_(state),
      effects_(effects),
      block_(block),
      sink_(sink) {}

// Where the items' tokens are among those of the gradients.
void SensitivityVisitor::begin_slice(std::span<const std::size_t> tokens,
                                     const kernels::ActivationBlock& outer,
                                     const kernels::ActivationBlock& inner) {
  items_.clear();
  const auto index_of = [&](std::size_t row) {
    return static_cast<std::size_t>(std::lower_bound(tokens.begin(), tokens.end(), row) -
                                    tokens.begin());
  };
  for (const ItemBlock::ItemRows& item : block_.items) {
    const IndexRange some{index_of(item.rows.begin), index_of(item.rows.end)};
    if (some.begin < some.end) items_.push_back({effects_[item.item], some});
  }
  runs_.add_slice(items_);
  for (auto& [input, block] : {std::pair(&outer_, &outer), std::pair(&inner_, &inner)}) {
    input->block = block;
    input->has_coarse = input->has_digits = false;
  }
}

void SensitivityVisitor::visit_ffn(std::size_t layer, const model::FfnGradients& gradients) {
  begin_slice(gradients.tokens, *gradients.gate.input, *gradients.down.input);
  Source gate{Projection::kGate, &gradients.gate, &outer_};
  if (find_tensor(layer, Projection::kGate)) {
    const std::size_t count =
        gradients.tokens.size() * transformer_.model().parameters().feed_forward;
    before_.resize(count);
    factors_.resize(count);
    model::parallel_for(transformer_.options().threads, count, [&](IndexRange range) {
      prepare_gate(transformer_, gradients, range, before_.data(), factors_.data());
    });
    gate.before = before_.data();
    gate.factors = factors_.data();
  }
  visit(layer, gate);
  visit(layer, {Projection::kUp, &gradients.up, &outer_});
  visit(layer, {Projection::kDown, &gradients.down, &inner_});
}

void SensitivityVisitor::visit_attention(std::size_t layer,
                                         const model::AttentionGradients& gradients) {
  begin_slice(gradients.tokens, *gradients.query.input, *gradients.output.input);
  visit(layer, {Projection::kQuery, &gradients.query, &outer_, gradients.query_normed,
                gradients.query_normed_gradient});
  visit(layer, {Projection::kKey, &gradients.key, &outer_, gradients.key_normed,
                gradients.key_normed_gradient});
  visit(layer, {Projection::kValue, &gradients.value, &outer_});
  visit(layer, {Projection::kOutput, &gradients.output, &inner_});
}

std::optional<std::size_t> SensitivityVisitor::find_tensor(std::size_t layer,
                                                           Projection projection) const {
  const TensorAddress address{static_cast<std::uint32_t>(layer), projection};
  const std::span<const TensorAddress> tensors = space_.tensors();
  const auto found = std::lower_bound(tensors.begin(), tensors.end(), address);
  const auto tensor = static_cast<std::size_t>(found - tensors.begin());
  if (found == tensors.end() || *found != address || tensor < tensors_.begin ||
      tensor >= tensors_.end)
    return std::nullopt;
  return tensor;
}

SensitivityVisitor::Tensor& SensitivityVisitor::tensor_at(std::size_t index) {
  const auto [place, is_new] = visited_.try_emplace(index);
  Tensor& tensor = place->second;
  if (!is_new) return tensor;
  tensor.index = index;
  tensor.matrix = transformer_.model().find_matrix(space_.tensors()[index]);
  if (const auto count = space_.count(index, patch::FlipKind::kRow); count > 0)
    tensor.rows.emplace(count);
  if (const auto count = space_.count(index, patch::FlipKind::kGroup); count > 0) {
    tensor.groups.emplace(count);
    tensor.slices.emplace(tensor.panels.emplace(*tensor.matrix, state_).panels(),
                          tensor.matrix->scale);
  }
  for (const patch::FlipKind kind : kFlipKinds)
    if (patch::is_single(kind) && space_.count(index, kind) > 0)
      tensor.singles.push_back({kind, space_.first(index, kind)});
  if (!tensor.singles.empty())
    tensor.gradient = &gradients_
                           .try_emplace(space_.tensors()[index].projection,
                                        tensor.matrix->weights.rows, DigitOrder::kRows)
                           .first->second;
  return tensor;
}

// The input in 8 bits: shares of groups need no more.
const kernels::ActivationBlock& SensitivityVisitor::coarse(Input& input) const {
  if (std::exchange(input.has_coarse, true)) return input.coarse;
  const std::size_t tokens = input.block->tokens();
  const std::size_t cols = input.block->cols();
  kernels::ActivationBlock& block = input.coarse;
  block.resize(kernels::ActivationMode::kA8, tokens, cols, false);
  model::parallel_for(transformer_.options().threads, tokens, [&](IndexRange range) {
    std::vector<float> x(cols);
    for (std::size_t t = range.begin; t < range.end; ++t) {
      input.block->widen(t, 1, x.data());
      block.set_token(transformer_.table(), t, x.data());
    }
  });
  return block;
}

// Digits of the slice for the tensor's single weights.
void SensitivityVisitor::add_digits(const Source& source, Tensor& tensor) {
  const kernels::KernelTable& table = transformer_.table();
  const int threads = transformer_.options().threads;
  tensor.gradient->add(table, threads, source.arrays->gradient, runs_.spans());
  tensor.input = source.input;
  if (std::exchange(source.input->has_digits, true)) return;
  const std::size_t tokens = source.input->block->tokens();
  const std::size_t cols = source.input->block->cols();
  x_.resize(tokens * cols);
  model::parallel_for(threads, tokens, [&](IndexRange range) {
    source.input->block->widen(range.begin, range.size(), x_.data() + range.begin * cols);
  });
  if (!source.input->digits) source.input->digits.emplace(cols, DigitOrder::kColumns);
  source.input->digits->add(table, threads, x_.data(), runs_.spans());
}

void SensitivityVisitor::visit(std::size_t layer, const Source& source) {
  const std::optional<std::size_t> found = find_tensor(layer, source.projection);
  if (!found) return;
  Tensor& tensor = tensor_at(*found);
  OutputEffects effects{tensor.matrix->weights.rows, nullptr, nullptr, source.arrays->gradient};
  if (source.before != nullptr)
    effects = {effects.rows, source.arrays->output, source.before, source.factors};
  if (tensor.rows) {
    const float* values = source.arrays->output;
    OutputEffects of_rows = effects;
    if (source.row_values != nullptr) {
      values = source.row_values;
      of_rows.factors = source.row_gradient;
    }
    add_row_changes(transformer_, of_rows, values, items_, *tensor.rows);
  }
  if (tensor.groups)
    add_group_changes(transformer_, effects, *tensor.slices, coarse(*source.input), items_,
                      *tensor.groups);
  if (tensor.gradient) add_digits(source, tensor);
}

void SensitivityVisitor::emit(const Tensor& tensor) const {
  const std::size_t rows = tensor.matrix->weights.rows;
  if (tensor.rows) {
    std::vector<PredictedChange> changes(rows);
    for (std::size_t row = 0; row < rows; ++row) changes[row] = tensor.rows->change(row);
    sink_.take(space_.first(tensor.index, patch::FlipKind::kRow), changes);
  }
  if (tensor.groups) {
    const std::size_t groups = tensor.slices->size();
    std::vector<PredictedChange> changes(rows * groups);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t group = 0; group < groups; ++group)
        changes[row * groups + group] = tensor.groups->change(group * rows + row);
    sink_.take(space_.first(tensor.index, patch::FlipKind::kGroup), changes);
  }
  if (tensor.gradient)
    score_single_weights(transformer_, *tensor.matrix, state_, runs_, *tensor.gradient,
                         *tensor.input->digits, tensor.singles, sink_);
}

void SensitivityVisitor::finish(model::HalfLayerPlace) {
  for (const auto& [index, tensor] : visited_) emit(tensor);
  visited_.clear();
  runs_.clear();
  for (auto& [projection, digits] : gradients_) digits.clear();
  // The next half-layer's inputs may have other widths.
  outer_.digits.reset();
  inner_.digits.reset();
}

}  // namespace bankai::bfs
