#include "bfs/sensitivity_visitor.h"

#include <algorithm>

#include "kernels/group_panels.h"
#include "model/parallel.h"
#include "model/patched_panels.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kRowsTogether = 64;  // of one thread's work on rows and groups
// Bits that a thread works on at a time: several arrays of them stay in the second-level cache.
constexpr std::size_t kTileBits = std::size_t{1} << 15U;
constexpr std::size_t kLeastTileRows = 16;
constexpr std::size_t kMostTileRows = 96;
constexpr std::size_t kTilesTogether = 8;  // bits that are handed on together

// Bytes of a row of the model in its state.
const std::uint8_t* row_bytes(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                              std::size_t row) {
  const std::uint8_t* replaced = state.find_row(matrix.address, row);
  return replaced != nullptr ? replaced : matrix.weights.data + row * matrix.weights.row_bytes;
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
void SensitivityVisitor::locate_items(std::span<const std::size_t> tokens) {
  items_.clear();
  const auto index_of = [&](std::size_t row) {
    return static_cast<std::size_t>(std::lower_bound(tokens.begin(), tokens.end(), row) -
                                    tokens.begin());
  };
  for (const ItemBlock::ItemRows& item : block_.items)
    items_.push_back({effects_[item.item], {index_of(item.rows.begin), index_of(item.rows.end)}});
}

void SensitivityVisitor::visit_ffn(std::size_t layer, const model::FfnGradients& gradients) {
  locate_items(gradients.tokens);
  visit(layer, {Projection::kGate, &gradients.gate, nullptr, nullptr, gradients.up.output,
                gradients.hidden_gradient});
  visit(layer, {Projection::kUp, &gradients.up, nullptr, nullptr, nullptr, nullptr});
  visit(layer, {Projection::kDown, &gradients.down, nullptr, nullptr, nullptr, nullptr});
}

void SensitivityVisitor::visit_attention(std::size_t layer,
                                         const model::AttentionGradients& gradients) {
  locate_items(gradients.tokens);
  visit(layer, {Projection::kQuery, &gradients.query, gradients.query_normed,
                gradients.query_normed_gradient, nullptr, nullptr});
  visit(layer, {Projection::kKey, &gradients.key, gradients.key_normed,
                gradients.key_normed_gradient, nullptr, nullptr});
  visit(layer, {Projection::kValue, &gradients.value, nullptr, nullptr, nullptr, nullptr});
  visit(layer, {Projection::kOutput, &gradients.output, nullptr, nullptr, nullptr, nullptr});
}

void SensitivityVisitor::visit(std::size_t layer, const Source& source) {
  const TensorAddress address{static_cast<std::uint32_t>(layer), source.projection};
  const std::span<const TensorAddress> tensors = space_.tensors();
  const auto found = std::lower_bound(tensors.begin(), tensors.end(), address);
  const auto tensor = static_cast<std::size_t>(found - tensors.begin());
  if (found == tensors.end() || *found != address || tensor < tensors_.begin ||
      tensor >= tensors_.end)
    return;
  if (space_.count(tensor, patch::FlipKind::kRow) > 0) {
    const std::size_t rows = space_.count(tensor, patch::FlipKind::kRow);
    std::vector<PredictedChange> changes(rows);
    const Shares shares = source.row_values != nullptr
                              ? Shares{source.row_values, source.row_gradient}
                              : Shares{source.arrays->output, source.arrays->gradient};
    score_rows(source, shares, rows, changes.data(), 1);
    sink_.take(space_.first(tensor, patch::FlipKind::kRow), changes);
  }
  if (space_.count(tensor, patch::FlipKind::kGroup) > 0) score_groups(tensor, source);
  if (space_.count(tensor, patch::FlipKind::kBit) > 0) score_bits(tensor, source);
}

// Adds the first-order change by one token to s, for some rows.
void SensitivityVisitor::add_row_changes(const Source& source, const Shares& shares,
                                         std::size_t rows, IndexRange some, std::size_t token,
                                         std::span<float> s) const {
  const std::size_t first = token * rows + some.begin;
  const std::size_t n = some.size();
  const float* v = shares.values + first;
  if (source.hidden_gradient == nullptr) {
    const float* g = shares.gradient + first;
    for (std::size_t i = 0; i < n; ++i) s[i] += -2.0F * v[i] * g[i];
    return;
  }
  float before[kRowsTogether] = {};
  float after[kRowsTogether] = {};
  const float* y = source.arrays->output + first;
  for (std::size_t i = 0; i < n; ++i) after[i] = y[i] - 2.0F * v[i];
  transformer_.activate(after, source.up + first, n, after);
  transformer_.activate(y, source.up + first, n, before);
  const float* g = source.hidden_gradient + first;
  for (std::size_t i = 0; i < n; ++i) s[i] += g[i] * (after[i] - before[i]);
}

void SensitivityVisitor::score_rows(const Source& source, const Shares& shares, std::size_t rows,
                                    PredictedChange* changes, std::size_t stride) const {
  const std::size_t parts = (rows + kRowsTogether - 1) / kRowsTogether;
  model::parallel_for(transformer_.options().threads, parts, [&](IndexRange range) {
    for (std::size_t part = range.begin; part < range.end; ++part) {
      const IndexRange some{part * kRowsTogether, std::min(rows, (part + 1) * kRowsTogether)};
      float gain[kRowsTogether] = {}, loss[kRowsTogether] = {};
      for (const ItemTokens& item : items_) {
        float s[kRowsTogether] = {};
        for (std::size_t t = item.tokens.begin; t < item.tokens.end; ++t)
          add_row_changes(source, shares, rows, some, t, s);
        add_effect(item.effect, std::span(s, some.size()), gain, loss);
      }
      for (std::size_t i = 0; i < some.size(); ++i)
        changes[(some.begin + i) * stride] = PredictedChange::of(gain[i], loss[i]);
    }
  });
}

void SensitivityVisitor::score_groups(std::size_t tensor, const Source& source) {
  const model::WeightMatrix& matrix = *transformer_.model().find_matrix(space_.tensors()[tensor]);
  const std::size_t rows = matrix.weights.rows;
  const std::size_t groups = space_.count_per_row(tensor, patch::FlipKind::kGroup);
  const std::size_t tokens = source.arrays->input->tokens();
  std::vector<PredictedChange> changes(rows * groups);
  std::vector<float> shares(tokens * rows);
  const model::PatchedPanels panels(matrix, state_);
  std::vector<kernels::PanelLine> lines(kernels::group_lines(panels.panels()));
  kernels::ActivationBlock input;
  for (std::size_t group = 0; group < groups; ++group) {
    const kernels::Panels slice = kernels::slice_group(panels.panels(), group, lines.data()->bytes);
    input.take_group(*source.arrays->input, group);
    model::parallel_for(transformer_.options().threads, tokens, [&](IndexRange range) {
      kernels::matmul(transformer_.table(), slice, input, range.begin, range.size(),
                      shares.data() + range.begin * rows, rows);
    });
    score_rows(source, {shares.data(), source.arrays->gradient}, rows, changes.data() + group,
               groups);
  }
  sink_.take(space_.first(tensor, patch::FlipKind::kGroup), changes);
}

// Changes by single bits are so small that a target's effect is linear in them, so that neighbours
// of equal weight are summed together.
std::vector<SensitivityVisitor::ItemTokens> SensitivityVisitor::linear_items() const {
  std::vector<ItemTokens> items;
  for (const ItemTokens& item : items_) {
    if (!items.empty() && !item.effect.is_control && !items.back().effect.is_control &&
        item.effect.weight == items.back().effect.weight) {
      items.back().tokens.end = item.tokens.end;
      continue;
    }
    items.push_back(item);
    items.back().effect.curvature = 0.0F;
  }
  return items;
}

// A bit's change is −2w times the weight's gradient, summed over the tokens of an item.
void SensitivityVisitor::score_bits(std::size_t tensor, const Source& source) {
  const model::WeightMatrix& matrix = *transformer_.model().find_matrix(space_.tensors()[tensor]);
  const std::size_t rows = matrix.weights.rows;
  const std::size_t cols = matrix.weights.cols;
  const std::size_t tokens = source.arrays->input->tokens();
  const int threads = transformer_.options().threads;
  const std::vector<ItemTokens> items = linear_items();
  std::vector<float> x(tokens * cols);
  model::parallel_for(threads, tokens, [&](IndexRange range) {
    source.arrays->input->widen(range.begin, range.size(), x.data() + range.begin * cols);
  });
  const std::size_t tile_rows = std::clamp(kTileBits / cols, kLeastTileRows, kMostTileRows);
  const std::size_t rows_together = kTilesTogether * tile_rows;
  std::vector<PredictedChange> changes(rows_together * cols);
  for (std::size_t first = 0; first < rows; first += rows_together) {
    const std::size_t count = std::min(rows_together, rows - first);
    const std::size_t tiles = (count + tile_rows - 1) / tile_rows;
    model::parallel_for(threads, tiles, [&](IndexRange range) {
      std::vector<float> factor(tile_rows * cols), s(factor.size());
      std::vector<float> gain(factor.size()), loss(factor.size());
      for (std::size_t tile = range.begin; tile < range.end; ++tile) {
        const std::size_t row = first + tile * tile_rows;
        const std::size_t n = std::min(tile_rows, rows - row);
        for (std::size_t r = 0; r < n; ++r) {
          kernels::WeightRows one = matrix.weights.slice(row + r, 1);
          one.data = row_bytes(matrix, state_, row + r);
          kernels::widen_row(one, 0, factor.data() + r * cols);
        }
        for (std::size_t i = 0; i < n * cols; ++i) factor[i] *= -2.0F;
        std::fill(gain.begin(), gain.end(), 0.0F);
        std::fill(loss.begin(), loss.end(), 0.0F);
        for (const ItemTokens& item : items) {
          std::fill(s.begin(), s.end(), 0.0F);
          transformer_.table().accumulate_outer(
              source.arrays->gradient + item.tokens.begin * rows + row, rows, n,
              x.data() + item.tokens.begin * cols, cols, cols, item.tokens.size(), s.data(), cols);
          for (std::size_t i = 0; i < n * cols; ++i) s[i] *= factor[i];
          add_effect(item.effect, std::span(s).first(n * cols), gain, loss);
        }
        PredictedChange* out = changes.data() + tile * tile_rows * cols;
        for (std::size_t i = 0; i < n * cols; ++i) out[i] = PredictedChange::of(gain[i], loss[i]);
      }
    });
    sink_.take(space_.first(tensor, patch::FlipKind::kBit) + first * cols,
               std::span(changes).first(count * cols));
  }
}

}  // namespace bankai::bfs
