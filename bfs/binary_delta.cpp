#include "bfs/binary_delta.h"

#include <algorithm>
#include <iterator>

#include "kernels/bit_panels.h"

namespace bankai::bfs {
namespace {

using model::BinaryMatrix;

constexpr std::size_t kRowsTogether = 64;  // replaced rows whose outputs fill a word

// The values of a token: as changed, or as the state has them. Ask for ascending tokens.
class Values {
 public:
  Values(const ChangedTokens& changed, const std::vector<std::uint64_t>& state, std::size_t words)
      : changed_(changed), state_(state), words_(words) {}
  const std::uint64_t* at(std::uint32_t token) {
    while (next_ < changed_.tokens.size() && changed_.tokens[next_] < token) ++next_;
    const bool is_changed = next_ < changed_.tokens.size() && changed_.tokens[next_] == token;
    return is_changed ? changed_.values.data() + next_ * words_ : state_.data() + token * words_;
  }

 private:
  const ChangedTokens& changed_;
  const std::vector<std::uint64_t>& state_;
  std::size_t words_;
  std::size_t next_ = 0;
};

std::vector<std::uint32_t> either(const std::vector<std::uint32_t>& a,
                                  const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

// Adds the token if its values differ from the state's.
void add_if_changed(std::uint32_t token, const std::uint64_t* values,
                    const std::vector<std::uint64_t>& state, std::size_t words,
                    ChangedTokens& changed) {
  if (std::equal(values, values + words, state.data() + token * words)) return;
  changed.tokens.push_back(token);
  changed.values.insert(changed.values.end(), values, values + words);
}

// Some of a matrix's rows replaced, at most kRowsTogether of them, ready to be multiplied.
struct ReplacedRows {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint64_t> panels;
  std::vector<std::int32_t> thresholds;

  // Writes their outputs, bit i of `bits` for row i, into the values of a token.
  void write(std::uint64_t bits, std::uint64_t* values) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::uint64_t& word = values[rows[i] / 64];
      word = (word & ~(std::uint64_t{1} << rows[i] % 64)) | (bits >> i & 1U) << rows[i] % 64;
    }
  }
};

std::vector<ReplacedRows> pack_rows(
    const std::map<std::uint32_t, std::vector<std::uint64_t>>& replaced,
    const model::BinaryLinear& linear) {
  std::vector<ReplacedRows> packs;
  std::vector<std::uint64_t> words;
  const std::size_t cols = linear.weights.cols;
  for (auto entry = replaced.begin(); entry != replaced.end();) {
    ReplacedRows& pack = packs.emplace_back();
    words.clear();
    for (; entry != replaced.end() && pack.rows.size() < kRowsTogether; ++entry) {
      pack.rows.push_back(entry->first);
      pack.thresholds.push_back(linear.thresholds[entry->first]);
      words.insert(words.end(), entry->second.begin(), entry->second.end());
    }
    pack.panels.resize(kernels::bit_panels_words(pack.rows.size(), cols));
    kernels::pack_bit_panels(words.data(), pack.rows.size(), cols, pack.panels.data());
  }
  return packs;
}

std::uint64_t majority(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return (a & b) | (a & c) | (b & c);
}

}  // namespace

BinaryDelta::BinaryDelta(const kernels::KernelTable& table, const model::BinaryOptions& options,
                         std::span<const std::vector<model::TokenId>> sequences)
    : table_(table), options_(options) {
  for (const std::vector<model::TokenId>& sequence : sequences) {
    first_.push_back(tokens_.size());
    tokens_.insert(tokens_.end(), sequence.begin(), sequence.end());
  }
  first_.push_back(tokens_.size());
}

std::size_t BinaryDelta::sequence_of(std::size_t token) const {
  return static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), token) -
                                  first_.begin()) -
         1;
}

void BinaryDelta::attend(std::uint32_t layer, std::size_t position, const std::uint64_t* query,
                         const model::BinaryCache& cache, std::uint64_t* out) const {
  const std::int64_t bit_cost = options_.score == model::PointerScore::kDot ? 2 : 1;
  attention_->attend(table_, query, cache, layer, position, bit_cost, model_->layers[layer].slopes,
                     options_.tie, out);
}

void BinaryDelta::set_state(const model::BinaryModel& model) {
  model_ = &model;
  words_ = BinaryMatrix::words_of(model.shape.width);
  attention_.emplace(model.shape.width, model.shape.num_heads);
  worker_.caches_.assign(first_.size() - 1, model::BinaryCache(model.shape));
  for (std::size_t i = 0; i + 1 < first_.size(); ++i)
    worker_.caches_[i].set_positions(first_[i + 1] - first_[i]);
  layers_.resize(model.layers.size() + 1);
  layers_[0].state.resize(tokens_.size() * words_);
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    std::copy_n(model.embedding.row(static_cast<std::size_t>(tokens_[i])), words_,
                layers_[0].state.data() + i * words_);
  for (std::uint32_t i = 0; i < model.layers.size(); ++i) fill(layers_[i], i, layers_[i + 1].state);
}

// All activations of a layer from its state, and the state behind it.
void BinaryDelta::fill(Layer& layer, std::uint32_t index, Words& next) {
  const model::BinaryLayer& weights = model_->layers[index];
  const auto product = [&](const model::BinaryLinear& linear, const Words& in, Linear& to) {
    to.linear = &linear;
    to.panels = model::to_panels(linear.weights);
    to.out.resize(tokens_.size() * BinaryMatrix::words_of(linear.weights.rows));
    table_.xnor_threshold(to.panels.data(), linear.weights.rows, in.data(), tokens_.size(),
                          linear.weights.cols, linear.thresholds.data(), to.out.data());
  };
  product(weights.q, layer.state, layer.q);
  product(weights.k, layer.state, layer.k);
  product(weights.v, layer.state, layer.v);
  layer.attended.resize(layer.state.size());
  for (std::size_t s = 0; s + 1 < first_.size(); ++s) {
    model::BinaryCache& cache = worker_.caches_[s];
    for (std::size_t token = first_[s]; token < first_[s + 1]; ++token)
      cache.store(index, token - first_[s], layer.k.out.data() + token * words_,
                  layer.v.out.data() + token * words_);
    for (std::size_t token = first_[s]; token < first_[s + 1]; ++token)
      attend(index, token - first_[s], layer.q.out.data() + token * words_, cache,
             layer.attended.data() + token * words_);
  }
  product(weights.o, layer.attended, layer.o);
  product(weights.gate, layer.state, layer.gate);
  product(weights.up, layer.state, layer.up);
  const std::size_t hidden_words = BinaryMatrix::words_of(model_->shape.feed_forward);
  const std::uint64_t last = BinaryMatrix::last_word_mask(model_->shape.feed_forward);
  layer.hidden.resize(layer.gate.out.size());
  for (std::size_t i = 0; i < layer.hidden.size(); ++i)
    layer.hidden[i] = ~(layer.gate.out[i] ^ layer.up.out[i]) &
                      (i % hidden_words == hidden_words - 1 ? last : ~std::uint64_t{0});
  product(weights.down, layer.hidden, layer.down);
  next.resize(layer.state.size());
  for (std::size_t i = 0; i < next.size(); ++i)
    next[i] = majority(layer.state[i], layer.o.out[i], layer.down.out[i]);
}

ChangedTokens BinaryDelta::changed_embeddings(const BinaryRows& rows) const {
  ChangedTokens changed;
  const auto replaced = rows.find({0, Projection::kEmbedding});
  if (replaced == rows.end()) return changed;
  for (std::uint32_t token = 0; token < tokens_.size(); ++token) {
    const auto row = replaced->second.find(static_cast<std::uint32_t>(tokens_[token]));
    if (row != replaced->second.end())
      add_if_changed(token, row->second.data(), layers_[0].state, words_, changed);
  }
  return changed;
}

// The outputs that change where inputs change, and of replaced rows wherever they cross a
// threshold.
ChangedTokens BinaryDelta::multiply(const Linear& linear, const Words& inputs,
                                    const ChangedTokens& changed, TensorAddress address,
                                    const BinaryRows& rows) const {
  const BinaryMatrix& weights = linear.linear->weights;
  const std::size_t out_words = BinaryMatrix::words_of(weights.rows);
  const std::size_t count = changed.tokens.size();
  Words out(count * out_words);
  if (count > 0)
    table_.xnor_threshold(linear.panels.data(), weights.rows, changed.values.data(), count,
                          weights.cols, linear.linear->thresholds.data(), out.data());
  std::vector<ReplacedRows> packs;
  if (const auto replaced = rows.find(address); replaced != rows.end())
    packs = pack_rows(replaced->second, *linear.linear);
  const auto outputs = [&](const ReplacedRows& pack, const Words& in, std::size_t tokens) {
    Words bits(tokens);
    if (tokens > 0)
      table_.xnor_threshold(pack.panels.data(), pack.rows.size(), in.data(), tokens, weights.cols,
                            pack.thresholds.data(), bits.data());
    return bits;
  };
  std::vector<Words> of_state;  // outputs of replaced rows for inputs as the state has them
  for (const ReplacedRows& pack : packs) {
    const Words bits = outputs(pack, changed.values, count);
    for (std::size_t i = 0; i < count; ++i) pack.write(bits[i], out.data() + i * out_words);
    of_state.push_back(outputs(pack, inputs, tokens_.size()));
  }
  ChangedTokens result;
  if (packs.empty()) {
    for (std::size_t i = 0; i < count; ++i)
      add_if_changed(changed.tokens[i], out.data() + i * out_words, linear.out, out_words, result);
    return result;
  }
  Words values(out_words);
  for (std::uint32_t token = 0, next = 0; token < tokens_.size(); ++token) {
    if (next < count && changed.tokens[next] == token) {
      std::copy_n(out.data() + next++ * out_words, out_words, values.data());
    } else {
      std::copy_n(linear.out.data() + token * out_words, out_words, values.data());
      for (std::size_t i = 0; i < packs.size(); ++i)
        packs[i].write(of_state[i][token], values.data());
    }
    add_if_changed(token, values.data(), linear.out, out_words, result);
  }
  return result;
}

// Changed keys and values are seen by all later tokens of their sequence.
ChangedTokens BinaryDelta::changed_attention(std::uint32_t index, const ChangedTokens& q,
                                             const ChangedTokens& k, const ChangedTokens& v,
                                             Worker& worker) const {
  const Layer& layer = layers_[index];
  const std::vector<std::uint32_t> stored = either(k.tokens, v.tokens);
  std::vector<std::uint32_t> looking;  // where the pointer may be another
  for (std::size_t i = 0; i < stored.size();) {
    const std::size_t end = first_[sequence_of(stored[i]) + 1];
    for (std::uint32_t token = stored[i]; token < end; ++token) looking.push_back(token);
    while (i < stored.size() && stored[i] < end) ++i;
  }
  Values keys(k, layer.k.out, words_), values(v, layer.v.out, words_),
      queries(q, layer.q.out, words_);
  for (const std::uint32_t token : stored) {
    const std::size_t sequence = sequence_of(token);
    worker.caches_[sequence].store(index, token - first_[sequence], keys.at(token),
                                   values.at(token));
  }
  ChangedTokens changed;
  Words out(words_);
  for (const std::uint32_t token : either(looking, q.tokens)) {
    const std::size_t sequence = sequence_of(token);
    attend(index, token - first_[sequence], queries.at(token), worker.caches_[sequence],
           out.data());
    add_if_changed(token, out.data(), layer.attended, words_, changed);
  }
  for (const std::uint32_t token : stored) {
    const std::size_t sequence = sequence_of(token);
    worker.caches_[sequence].store(index, token - first_[sequence],
                                   layer.k.out.data() + token * words_,
                                   layer.v.out.data() + token * words_);
  }
  return changed;
}

ChangedTokens BinaryDelta::changed_hidden(const Layer& layer, const ChangedTokens& gate,
                                          const ChangedTokens& up) const {
  const std::size_t words = BinaryMatrix::words_of(model_->shape.feed_forward);
  const std::uint64_t last = BinaryMatrix::last_word_mask(model_->shape.feed_forward);
  Values gates(gate, layer.gate.out, words), ups(up, layer.up.out, words);
  ChangedTokens changed;
  Words out(words);
  for (const std::uint32_t token : either(gate.tokens, up.tokens)) {
    const std::uint64_t* g = gates.at(token);
    const std::uint64_t* u = ups.at(token);
    for (std::size_t i = 0; i < words; ++i) out[i] = ~(g[i] ^ u[i]);
    out.back() &= last;
    add_if_changed(token, out.data(), layer.hidden, words, changed);
  }
  return changed;
}

ChangedTokens BinaryDelta::changed_state(std::uint32_t index, const ChangedTokens& state,
                                         const ChangedTokens& attention,
                                         const ChangedTokens& feed_forward) const {
  const Layer& layer = layers_[index];
  Values states(state, layer.state, words_), from_attention(attention, layer.o.out, words_),
      from_feed_forward(feed_forward, layer.down.out, words_);
  ChangedTokens changed;
  Words out(words_);
  for (const std::uint32_t token :
       either(either(state.tokens, attention.tokens), feed_forward.tokens)) {
    const std::uint64_t* x = states.at(token);
    const std::uint64_t* a = from_attention.at(token);
    const std::uint64_t* f = from_feed_forward.at(token);
    for (std::size_t i = 0; i < words_; ++i) out[i] = majority(x[i], a[i], f[i]);
    add_if_changed(token, out.data(), layers_[index + 1].state, words_, changed);
  }
  return changed;
}

ChangedTokens BinaryDelta::run(const BinaryRows& rows, Worker& worker) const {
  ChangedTokens state = changed_embeddings(rows);
  for (std::uint32_t index = 0; index + 1 < layers_.size(); ++index) {
    const auto own = rows.lower_bound({index, Projection::kGate});
    const bool has_rows =
        own != rows.end() && own->first <= TensorAddress{index, Projection::kOutput};
    if (state.tokens.empty() && !has_rows) continue;
    const Layer& layer = layers_[index];
    const auto times = [&](const Linear& linear, Projection projection, const Words& inputs,
                           const ChangedTokens& changed) {
      return multiply(linear, inputs, changed, {index, projection}, rows);
    };
    const ChangedTokens q = times(layer.q, Projection::kQuery, layer.state, state);
    const ChangedTokens k = times(layer.k, Projection::kKey, layer.state, state);
    const ChangedTokens v = times(layer.v, Projection::kValue, layer.state, state);
    const ChangedTokens attended = changed_attention(index, q, k, v, worker);
    const ChangedTokens attention = times(layer.o, Projection::kOutput, layer.attended, attended);
    const ChangedTokens gate = times(layer.gate, Projection::kGate, layer.state, state);
    const ChangedTokens up = times(layer.up, Projection::kUp, layer.state, state);
    const ChangedTokens hidden = changed_hidden(layer, gate, up);
    const ChangedTokens feed_forward = times(layer.down, Projection::kDown, layer.hidden, hidden);
    state = changed_state(index, state, attention, feed_forward);
  }
  return state;
}

}  // namespace bankai::bfs
