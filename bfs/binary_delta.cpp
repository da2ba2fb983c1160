#include "bfs/binary_delta.h"

#include <algorithm>
#include <bit>

#include "bfs/flipped_model.h"
#include "core/check.h"
#include "model/binary_matrices.h"
#include "model/binary_parts.h"

namespace bankai::bfs {
namespace {

using Signs = ChangedOrState<std::uint64_t>;

}  // namespace

BinaryDelta::BinaryDelta(const model::BinaryModel& model, const kernels::KernelTable& table,
                         const model::BinaryOptions& options, double logit_scale,
                         std::span<const std::vector<model::TokenId>> sequences)
    : model_(model),
      table_(table),
      options_(options),
      unit_(logit_scale / static_cast<double>(model.logit_multiplier)),
      sequences_(sequences) {
  for (const std::vector<model::TokenId>& sequence : sequences) {
    trace_.first.push_back(tokens_.size());
    tokens_.insert(tokens_.end(), sequence.begin(), sequence.end());
  }
  trace_.first.push_back(tokens_.size());
}

const model::BinaryMatrix& BinaryDelta::matrix(TensorAddress address) const {
  const model::BinaryMatrix* matrix = model::find_binary_matrix(model_, address);
  BANKAI_CHECK(matrix != nullptr, "a flip of another model");
  return *matrix;
}

void BinaryDelta::set_state(const BinaryRows& rows) {
  runs_.reset();
  state_ = with_rows(model_, rows);
  runs_.emplace(state_, table_, options_);
  codebook_ = model::to_panels(state_.codebook);
  trace_ = trace_binary(*runs_, sequences_);
}

void BinaryDelta::logits(const std::uint64_t* signs, const ReplacedBits* replaced,
                         std::vector<float>& out) const {
  const model::BinaryMatrix& codebook = state_.codebook;
  std::vector<std::int32_t> sums(codebook.rows);
  table_.xnor_gemm(codebook_.data(), codebook.rows, signs, 1, codebook.cols, sums.data(),
                   codebook.rows);
  if (replaced != nullptr)
    for (const auto& [row, words] : *replaced) {
      int differing = 0;
      for (std::size_t i = 0; i < words.size(); ++i)
        differing += std::popcount(words[i] ^ signs[i]);
      sums[row] = static_cast<std::int32_t>(codebook.cols) - 2 * differing;
    }
  std::vector<std::int64_t> integers(codebook.rows);
  for (std::size_t v = 0; v < integers.size(); ++v)
    integers[v] = state_.logit_multiplier * sums[v] + state_.biases[v];
  const std::int64_t largest = *std::max_element(integers.begin(), integers.end());
  out.resize(integers.size());
  for (std::size_t v = 0; v < integers.size(); ++v)
    out[v] = static_cast<float>(static_cast<double>(integers[v] - largest) * unit_);
}

ChangedTokens BinaryDelta::changed_embeddings(const BinaryRows& rows) const {
  ChangedTokens changed;
  const ReplacedBits* replaced = find_rows(rows, {0, Projection::kEmbedding});
  if (replaced == nullptr) return changed;
  for (std::uint32_t token = 0; token < tokens_.size(); ++token) {
    const auto row = replaced->find(static_cast<std::uint32_t>(tokens_[token]));
    if (row != replaced->end())
      add_changed_signs(token, row->second.data(), trace_.layers[0].state, runs_->state_words(),
                        changed);
  }
  return changed;
}

ChangedTokens BinaryDelta::changed_state(std::size_t index, const ChangedTokens& state,
                                         const ChangedTokens& attention,
                                         const ChangedTokens& feed_forward) const {
  const model::BinaryActivations& layer = trace_.layers[index];
  const Words& next =
      index + 1 < trace_.layers.size() ? trace_.layers[index + 1].state : trace_.top;
  const std::size_t words = runs_->state_words();
  Signs states(state.tokens, state.values, layer.state, words),
      from_attention(attention.tokens, attention.values, layer.o, words),
      from_feed_forward(feed_forward.tokens, feed_forward.values, layer.down, words);
  ChangedTokens changed;
  Words out(words);
  for (const std::uint32_t token :
       either_of(either_of(state.tokens, attention.tokens), feed_forward.tokens)) {
    const std::uint64_t* x = states.at(token);
    const std::uint64_t* a = from_attention.at(token);
    const std::uint64_t* f = from_feed_forward.at(token);
    for (std::size_t i = 0; i < words; ++i) out[i] = model::majority(x[i], a[i], f[i]);
    add_changed_signs(token, out.data(), next, words, changed);
  }
  return changed;
}

ChangedTokens BinaryDelta::run(const BinaryRows& rows, Worker& worker) const {
  ChangedTokens state = changed_embeddings(rows);
  for (std::uint32_t index = 0; index < trace_.layers.size(); ++index) {
    const auto own = rows.lower_bound({index, Projection::kGate});
    const bool has_rows =
        own != rows.end() && own->first <= TensorAddress{index, Projection::kOutput};
    if (state.tokens.empty() && !has_rows) continue;
    const model::BinaryActivations& layer = trace_.layers[index];
    const model::PackedLayer& weights = runs_->layer(index);
    const auto times = [&](const model::PackedLinear& linear, Projection projection,
                           const Words& inputs, const Words& outputs,
                           const ChangedTokens& changed) {
      return changed_outputs(table_, linear, inputs, outputs, changed,
                             find_rows(rows, {index, projection}));
    };
    const ChangedTokens q = times(weights.q, Projection::kQuery, layer.state, layer.q, state);
    const ChangedTokens k = times(weights.k, Projection::kKey, layer.state, layer.k, state);
    const ChangedTokens v = times(weights.v, Projection::kValue, layer.state, layer.v, state);
    const ChangedTokens attended = changed_pointers(
        layer, index, trace_.first, q, k, v, worker,
        [&](std::size_t position, const std::uint64_t* query, const model::BinaryCache& cache,
            std::uint64_t* out) { runs_->attend(index, position, query, cache, out); });
    const ChangedTokens attention =
        times(weights.o, Projection::kOutput, layer.attended, layer.o, attended);
    const ChangedTokens gate =
        times(weights.gate, Projection::kGate, layer.state, layer.gate, state);
    const ChangedTokens up = times(weights.up, Projection::kUp, layer.state, layer.up, state);
    const ChangedTokens hidden = changed_sign_products(layer, model_.shape.feed_forward, gate, up);
    const ChangedTokens feed_forward =
        times(weights.down, Projection::kDown, layer.hidden, layer.down, hidden);
    state = changed_state(index, state, attention, feed_forward);
  }
  return state;
}

}  // namespace bankai::bfs
