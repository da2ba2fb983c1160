#include "bfs/residual_delta.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bfs/flipped_model.h"
#include "kernels/bit_panels.h"
#include "model/binary_matrices.h"

namespace bankai::bfs {
namespace {

using model::BinaryMatrix;
using model::ResidualLayerTrace;

template <typename T>
void append(const std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

// What was computed from another sequence, behind what is there.
void append_trace(const ResidualLayerTrace& from, ResidualLayerTrace& to) {
  for (const auto part : model::kActivationParts) append(from.signs.*part, to.signs.*part);
  append(from.feed_forward_in, to.feed_forward_in);
  append(from.x, to.x);
  append(from.attention, to.attention);
  append(from.middle, to.middle);
  append(from.feed_forward, to.feed_forward);
}

bool has_rows_in_layer(const BinaryRows& rows, std::uint32_t layer) {
  for (const ProjectionNames& entry : kProjections)
    if (entry.projection != Projection::kEmbedding && entry.projection != Projection::kHead &&
        find_rows(rows, {layer, entry.projection}) != nullptr)
      return true;
  return false;
}

// Replaced rows as a product of signs has them: complemented where its row falls.
ReplacedBits risen(const ReplacedBits& replaced, const std::vector<std::uint8_t>& falls) {
  ReplacedBits rows = replaced;
  for (auto& [row, words] : rows)
    if (falls[row] != 0)
      for (std::uint64_t& word : words) word = ~word;
  return rows;
}

ChangedTokens changed_signs_of(const kernels::KernelTable& table, const model::SignProduct& product,
                               const std::vector<std::uint64_t>& inputs,
                               const std::vector<std::uint64_t>& outputs,
                               const ChangedTokens& changed, const ReplacedBits* replaced) {
  if (replaced == nullptr)
    return changed_outputs(table, product.linear, inputs, outputs, changed, nullptr);
  const ReplacedBits rows = risen(*replaced, product.falls);
  return changed_outputs(table, product.linear, inputs, outputs, changed, &rows);
}

// Some rows of an affine product replaced.
class ReplacedChannels {
 public:
  ReplacedChannels(const model::AffineProduct& product, const ReplacedBits* replaced)
      : product_(product) {
    if (replaced == nullptr) return;
    std::vector<std::uint64_t> words;
    for (const auto& [row, bits] : *replaced) {
      rows_.push_back(row);
      append(bits, words);
    }
    panels_.resize(kernels::bit_panels_words(rows_.size(), product.cols));
    kernels::pack_bit_panels(words.data(), rows_.size(), product.cols, panels_.data());
    sums_.resize(rows_.size());
  }
  bool empty() const { return rows_.empty(); }
  // Their outputs for a token's inputs, in place of the others.
  void write(const kernels::KernelTable& table, const std::uint64_t* in, float* out) {
    if (empty()) return;
    table.xnor_gemm(panels_.data(), rows_.size(), in, 1, product_.cols, sums_.data(), rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i)
      out[rows_[i]] = product_.affine(rows_[i], sums_[i]);
  }

 private:
  const model::AffineProduct& product_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::uint64_t> panels_;
  std::vector<std::int32_t> sums_;
};

// The outputs of an affine product for changed inputs, asked for in ascending order.
class ChangedOutputs {
 public:
  ChangedOutputs(const kernels::KernelTable& table, const model::AffineProduct& product,
                 const std::vector<std::uint64_t>& inputs)
      : table_(table),
        product_(product),
        inputs_(inputs),
        words_(model::BinaryMatrix::words_of(product.cols)) {}
  const float* at(std::size_t index) {
    if (index >= end_) {
      const std::size_t count = std::min(kTogether, inputs_.size() / words_ - index);
      outputs_.resize(kTogether * product_.rows);
      product_.run(table_, inputs_.data() + index * words_, count, outputs_.data());
      first_ = index;
      end_ = index + count;
    }
    return outputs_.data() + (index - first_) * product_.rows;
  }

 private:
  static constexpr std::size_t kTogether = 8;  // tokens
  const kernels::KernelTable& table_;
  const model::AffineProduct& product_;
  const std::vector<std::uint64_t>& inputs_;
  std::size_t words_;
  std::vector<float> outputs_;
  std::size_t first_ = 0, end_ = 0;
};

std::vector<std::uint32_t> first_tokens(std::size_t count) {
  std::vector<std::uint32_t> tokens(count);
  for (std::uint32_t token = 0; token < count; ++token) tokens[token] = token;
  return tokens;
}

}  // namespace

ResidualDelta::ResidualDelta(const model::BinaryResidualModel& model,
                             const kernels::KernelTable& table, int threads,
                             std::span<const std::vector<model::TokenId>> sequences)
    : model_(model), table_(table), threads_(threads) {
  for (const std::vector<model::TokenId>& sequence : sequences) {
    starts_.push_back(tokens_.size());
    append(sequence, tokens_);
  }
  starts_.push_back(tokens_.size());
}

const model::BinaryMatrix& ResidualDelta::matrix(TensorAddress address) const {
  return *model::find_binary_matrix(model_, address);
}

void ResidualDelta::set_state(const BinaryRows& rows) {
  state_model_ = with_rows(model_, rows);
  state_.emplace(state_model_, table_, threads_);
  caches_.assign(starts_.size() - 1, model::BinaryCache(model_.shape));
  layers_.assign(model_.layers.size(), {});
  top_x_.clear();
  for (std::size_t s = 0; s + 1 < starts_.size(); ++s) {
    const std::size_t count = starts_[s + 1] - starts_[s];
    model::BinaryCache& cache = caches_[s];
    cache.set_positions(count);
    Floats x = state_->embed(std::span(tokens_).subspan(starts_[s], count));
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      ResidualLayerTrace trace = state_->run_layer(i, std::move(x), cache);
      append_trace(trace, layers_[i]);
      x = std::move(trace.next);
    }
    append(x, top_x_);
  }
  top_ = state_->norm_signs(top_x_, model_.output_norm);
}

void ResidualDelta::logits(const std::uint64_t* signs, const ReplacedBits* replaced,
                           std::vector<float>& out) const {
  const model::AffineProduct& output = state_->output();
  out.resize(output.rows);
  output.run(table_, signs, 1, out.data());
  ReplacedChannels(output, replaced).write(table_, signs, out.data());
}

ChangedTokens ResidualDelta::changed_signs(const ChangedRows& x, const Floats& gamma,
                                           const Words& state) const {
  const std::size_t width = gamma.size();
  const std::size_t words = BinaryMatrix::words_of(width);
  Words bits(words);
  ChangedTokens changed;
  for (std::size_t i = 0; i < x.tokens.size(); ++i) {
    model::sign_norms(table_, x.values.data() + i * width, 1, gamma, state_->model().rules.epsilon,
                      bits.data());
    add_changed_signs(x.tokens[i], bits.data(), state, words, changed);
  }
  return changed;
}

// The inputs of the output projection.
ChangedTokens ResidualDelta::changed_attention(std::uint32_t index, const ChangedTokens& in,
                                               const BinaryRows& rows, Worker& worker) const {
  const model::ResidualLayerProducts& products = state_->layer(index);
  const model::BinaryActivations& signs = layers_[index].signs;
  const auto times = [&](const model::SignProduct& product, Projection projection,
                         const Words& outputs) {
    return changed_signs_of(table_, product, signs.state, outputs, in,
                            find_rows(rows, {index, projection}));
  };
  const ChangedTokens q = times(products.q, Projection::kQuery, signs.q);
  const ChangedTokens k = times(products.k, Projection::kKey, signs.k);
  const ChangedTokens v = times(products.v, Projection::kValue, signs.v);
  return changed_pointers(
      signs, index, starts_, q, k, v, worker,
      [&](std::size_t position, const std::uint64_t* query, const model::BinaryCache& cache,
          std::uint64_t* out) { state_->attend(index, position, query, cache, out); });
}

// The inputs of the down projection.
ChangedTokens ResidualDelta::changed_hidden(std::uint32_t index, const ChangedTokens& in,
                                            const BinaryRows& rows) const {
  const model::ResidualLayerProducts& products = state_->layer(index);
  const ResidualLayerTrace& layer = layers_[index];
  const auto times = [&](const model::SignProduct& product, Projection projection,
                         const Words& outputs) {
    return changed_signs_of(table_, product, layer.feed_forward_in, outputs, in,
                            find_rows(rows, {index, projection}));
  };
  const ChangedTokens gate = times(products.gate, Projection::kGate, layer.signs.gate);
  const ChangedTokens up = times(products.up, Projection::kUp, layer.signs.up);
  return changed_sign_products(layer.signs, state_->model().shape.feed_forward, gate, up);
}

// Residual rows behind an addend: those that change in front of it, or because of it.
ResidualDelta::ChangedRows ResidualDelta::changed_sum(const ChangedRows& x, const Floats& state_x,
                                                      const Addend& addend,
                                                      const Floats& state_sum) const {
  const std::size_t width = addend.product.rows;
  const std::size_t words = BinaryMatrix::words_of(addend.product.cols);
  ReplacedChannels replaced(addend.product, addend.replaced);
  ChangedOrState<float> rows(x.tokens, x.values, state_x, width);
  ChangedOrState<std::uint64_t> inputs(addend.changed.tokens, addend.changed.values, addend.inputs,
                                       words);
  ChangedOutputs outputs(table_, addend.product, addend.changed.values);
  const std::vector<std::uint32_t> looked =
      replaced.empty() ? either_of(x.tokens, addend.changed.tokens) : first_tokens(tokens_.size());
  Floats change(width);
  ChangedRows result;
  result.values.reserve(looked.size() * width);
  for (const std::uint32_t token : looked) {
    const float* added = inputs.is_changed(token) ? outputs.at(inputs.position())
                                                  : addend.outputs.data() + token * width;
    if (!replaced.empty()) {
      std::copy_n(added, width, change.data());
      replaced.write(table_, inputs.at(token), change.data());
      added = change.data();
    }
    const float* from = rows.at(token);
    const std::size_t end = result.values.size();
    result.values.insert(result.values.end(), from, from + width);
    float* sum = result.values.data() + end;
    table_.add_f32(added, sum, width);
    if (std::memcmp(sum, state_sum.data() + token * width, width * sizeof(float)) != 0)
      result.tokens.push_back(token);
    else
      result.values.resize(end);
  }
  return result;
}

ChangedTokens ResidualDelta::run(const BinaryRows& rows, Worker& worker) const {
  ChangedRows x;
  for (std::uint32_t index = 0; index < layers_.size(); ++index) {
    if (x.tokens.empty() && !has_rows_in_layer(rows, index)) continue;
    const ResidualLayerTrace& layer = layers_[index];
    const model::BinaryResidualLayer& weights = state_->model().layers[index];
    const model::ResidualLayerProducts& products = state_->layer(index);
    const ChangedTokens in = changed_signs(x, weights.attention_norm, layer.signs.state);
    const ChangedTokens attended = changed_attention(index, in, rows, worker);
    const ChangedRows middle =
        changed_sum(x, layer.x,
                    {products.o, layer.signs.attended, layer.attention, attended,
                     find_rows(rows, {index, Projection::kOutput})},
                    layer.middle);
    const ChangedTokens feed_forward_in =
        state_->model().rules.parallel_block
            ? in
            : changed_signs(middle, weights.feed_forward_norm, layer.feed_forward_in);
    const ChangedTokens hidden = changed_hidden(index, feed_forward_in, rows);
    x = changed_sum(middle, layer.middle,
                    {products.down, layer.signs.hidden, layer.feed_forward, hidden,
                     find_rows(rows, {index, Projection::kDown})},
                    index + 1 < layers_.size() ? layers_[index + 1].x : top_x_);
  }
  return changed_signs(x, state_->model().output_norm, top_);
}

}  // namespace bankai::bfs
