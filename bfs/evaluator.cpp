#include "bfs/evaluator.h"

#include <algorithm>
#include <numeric>

#include "bfs/overlay.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kBlockFloats = std::size_t{1}
                                     << 23U;  // of the widest activation in a block (32 MiB)

void append_rows(std::vector<float>& out, const std::vector<float>& from, std::size_t first_row,
                 std::size_t num_rows, std::size_t width) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first_row * width);
  out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(num_rows * width));
}

// Column `col` of the last rows of `out` (…, width) takes the values of `column` from `first` on.
void set_column(std::vector<float>& out, std::size_t width, std::size_t col,
                const std::vector<float>& column, std::size_t first, std::size_t num_rows) {
  float* rows = out.data() + out.size() - num_rows * width;
  for (std::size_t i = 0; i < num_rows; ++i) rows[i * width + col] = column[first + i];
}

}  // namespace

HalfLayer half_layer_of(TensorAddress tensor) {
  BANKAI_CHECK(tensor.projection < Projection::kEmbedding, "flips are searched inside layers only");
  return {tensor.layer, tensor.projection <= Projection::kDown};
}

Evaluator::Evaluator(model::Transformer& transformer, const Objective& objective,
                     std::span<const TensorAddress> searched)
    : transformer_(transformer),
      objective_(objective),
      scorer_(transformer, objective),
      all_sequences_(objective.sequences.size()) {
  std::iota(all_sequences_.begin(), all_sequences_.end(), 0U);
  for (const std::vector<model::TokenId>& sequence : objective.sequences) {
    first_token_.push_back(num_tokens_);
    num_tokens_ += sequence.size();
  }
  const model::Hyperparameters& h = transformer.model().parameters();
  block_tokens_ = std::clamp<std::size_t>(kBlockFloats / h.feed_forward, 256, 4096);
  for (const TensorAddress tensor : searched)
    inputs_.try_emplace(half_layer_of(tensor), num_tokens_ * h.embedding, 0.0F);
  base_scores_ = run_all({}, Pass::kReference, {});
}

void Evaluator::Block::clear() {
  tokens = 0;
  segments.clear();
  members.clear();
  local.clear();
  x.clear();
  hidden.clear();
  attention.query.clear();
  attention.key.clear();
  attention.value.clear();
}

std::vector<double> Evaluator::evaluate_overlay(const model::RowOverlay& overlay) {
  return run_all(overlay, Pass::kPlain, {});
}

std::vector<double> Evaluator::evaluate_overlay(const model::RowOverlay& overlay, HalfLayer from) {
  return run_all(overlay, Pass::kPlain, from);
}

std::vector<double> Evaluator::set_state(model::RowOverlay overlay) {
  state_ = std::move(overlay);
  trace_.valid = false;
  return run_all(state_, Pass::kState, {});
}

// All sequences through the half-layers from `from` on; at {0, attention} from the embedding.
std::vector<double> Evaluator::run_all(const model::RowOverlay& overlay, Pass pass,
                                       HalfLayer from) {
  const model::Hyperparameters& h = transformer_.model().parameters();
  const model::Replacements replacements{&overlay, {}};
  std::vector<double> values(objective_.terms.size());
  for (std::uint32_t next = 0; next < objective_.sequences.size();) {
    block_.clear();
    const std::size_t first_token = first_token_[next];
    std::vector<model::TokenId> inputs;
    for (; next < objective_.sequences.size(); ++next) {
      const std::vector<model::TokenId>& sequence = objective_.sequences[next];
      if (!inputs.empty() && inputs.size() + sequence.size() > block_tokens_) break;
      block_.members.push_back({next, inputs.size(), values.data()});
      block_.segments.push_back({inputs.size(), sequence.size(), nullptr, 0});
      inputs.insert(inputs.end(), sequence.begin(), sequence.end());
    }
    block_.tokens = inputs.size();
    if (from == HalfLayer{}) {
      block_.x.resize(inputs.size() * h.embedding);
      transformer_.embed(inputs, replacements, block_.x.data());
    } else {
      append_rows(block_.x, inputs_.at(from), first_token, inputs.size(), h.embedding);
    }
    for (std::uint32_t layer = from.layer; layer < h.num_layers; ++layer) {
      if (from != HalfLayer{layer, true}) {
        if (pass != Pass::kPlain) remember({layer, false}, first_token);
        transformer_.project_attention(layer, block_.tokens, block_.x.data(), replacements,
                                       block_.attention);
        transformer_.finish_attention(layer, block_.segments, block_.attention, replacements,
                                      block_.x.data());
      }
      if (pass != Pass::kPlain) remember({layer, true}, first_token);
      if (layer + 1 == h.num_layers) keep_scored_rows();
      run_ffn(layer, replacements);
    }
    if (pass == Pass::kReference) scorer_.record_reference(block_.x.data(), block_.members);
    scorer_.score(block_.x.data(), block_.members, replacements);
  }
  return scorer_.item_scores(values);
}

// Keeps the block's residual rows for candidates that enter at `place`.
void Evaluator::remember(HalfLayer place, std::size_t first_token) {
  const auto found = inputs_.find(place);
  if (found == inputs_.end()) return;
  const std::size_t width = transformer_.model().parameters().embedding;
  std::copy(block_.x.begin(), block_.x.end(),
            found->second.begin() + static_cast<std::ptrdiff_t>(first_token * width));
}

void Evaluator::load_trace(HalfLayer place) {
  if (trace_.valid && trace_.place == place) return;
  const model::LayerWeights& weights = transformer_.model().layer(place.layer);
  const model::Replacements replacements{&state_, {}};
  const float* x = inputs_.at(place).data();
  if (place.is_ffn) {
    transformer_.normalise(num_tokens_, x, weights.ffn_norm, trace_.normalised);
    transformer_.project_ffn(place.layer, num_tokens_, x, replacements, trace_.ffn);
    ffn_ = trace_.ffn;
    transformer_.activate_ffn(ffn_);
    trace_.hidden = ffn_.gate;
  } else {
    transformer_.normalise(num_tokens_, x, weights.attention_norm, trace_.normalised);
    transformer_.project_attention(place.layer, num_tokens_, x, replacements, trace_.attention);
  }
  trace_.place = place;
  trace_.valid = true;
}

// The outputs (tokens, rows of the matrix) of a projection in the trace.
const std::vector<float>& Evaluator::projected(Projection projection) const {
  switch (projection) {
    case Projection::kGate: return trace_.ffn.gate;
    case Projection::kUp: return trace_.ffn.up;
    case Projection::kQuery: return trace_.attention.query;
    case Projection::kKey: return trace_.attention.key;
    default: return trace_.attention.value;
  }
}

Evaluator::Candidate Evaluator::prepare(const patch::Flip& flip) {
  const model::WeightMatrix& matrix = *transformer_.model().find_matrix(flip.tensor);
  Candidate candidate{flip, flipped_row(transformer_.model(), state_, flip), {}};
  const Projection projection = flip.tensor.projection;
  if (projection == Projection::kDown || projection == Projection::kOutput) return candidate;
  const std::size_t rows = matrix.weights.rows;
  const auto column_of = [&](Projection source) {
    const std::vector<float>& values = projected(source);
    std::vector<float> column(num_tokens_);
    for (std::size_t t = 0; t < num_tokens_; ++t) column[t] = values[t * rows + flip.row];
    return column;
  };
  if (flip.kind == patch::FlipKind::kRow) {  // the negated row puts out exactly the negated sum
    candidate.column = column_of(projection);
    for (float& value : candidate.column) value = -value;
  } else {
    candidate.column.resize(num_tokens_);
    transformer_.multiply_row(matrix, candidate.bytes.data(), trace_.normalised, 0, num_tokens_,
                              candidate.column.data(), 1);
  }
  if (projection != Projection::kGate && projection != Projection::kUp) return candidate;
  // The hidden unit that the row feeds, with the flipped row on its side.
  const bool flips_gate = projection == Projection::kGate;
  const std::vector<float> other = column_of(flips_gate ? Projection::kUp : Projection::kGate);
  transformer_.activate((flips_gate ? candidate.column : other).data(),
                        (flips_gate ? other : candidate.column).data(), num_tokens_,
                        candidate.column.data());
  return candidate;
}

void Evaluator::add(const Candidate& candidate, std::uint32_t sequence, double* values) {
  const model::Hyperparameters& h = transformer_.model().parameters();
  const std::size_t first = first_token_[sequence];
  const std::size_t count = objective_.sequences[sequence].size();
  const std::size_t row = candidate.flip.row;
  block_.segments.push_back({block_.tokens, count, nullptr, 0});
  block_.members.push_back({sequence, block_.tokens, values});
  append_rows(block_.x, inputs_.at(trace_.place), first, count, h.embedding);
  if (trace_.place.is_ffn) {
    append_rows(block_.hidden, trace_.hidden, first, count, h.feed_forward);
  } else {
    append_rows(block_.attention.query, trace_.attention.query, first, count, h.query_dim());
    append_rows(block_.attention.key, trace_.attention.key, first, count, h.kv_dim());
    append_rows(block_.attention.value, trace_.attention.value, first, count, h.kv_dim());
  }
  switch (candidate.flip.tensor.projection) {
    case Projection::kGate:
    case Projection::kUp:
      set_column(block_.hidden, h.feed_forward, row, candidate.column, first, count);
      break;
    case Projection::kQuery:
      set_column(block_.attention.query, h.query_dim(), row, candidate.column, first, count);
      break;
    case Projection::kKey:
      set_column(block_.attention.key, h.kv_dim(), row, candidate.column, first, count);
      break;
    case Projection::kValue:
      set_column(block_.attention.value, h.kv_dim(), row, candidate.column, first, count);
      break;
    default:
      block_.local.push_back(
          {candidate.flip.tensor, row, candidate.bytes.data(), block_.tokens, count});
      break;
  }
  block_.tokens += count;
}

void Evaluator::run_ffn(std::size_t layer, const model::Replacements& replacements) {
  transformer_.project_ffn(layer, block_.tokens, block_.x.data(), replacements, ffn_);
  transformer_.activate_ffn(ffn_);
  transformer_.finish_ffn(layer, block_.tokens, ffn_.gate.data(), replacements, block_.x.data());
}

// Above the last attention, tokens no longer see each other: only the rows that terms look at go
// on.
void Evaluator::keep_scored_rows() {
  const std::vector<std::size_t> rows = scorer_.rows(block_.members);
  const auto keep = [&](std::vector<float>& values) {
    const std::size_t width = values.size() / block_.tokens;
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(rows[i] * width), width,
                  values.begin() + static_cast<std::ptrdiff_t>(i * width));
    values.resize(rows.size() * width);
  };
  const auto new_index = [&](std::size_t row) {
    return static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), row) - rows.begin());
  };
  keep(block_.x);
  if (!block_.hidden.empty()) keep(block_.hidden);
  for (model::LocalRow& local : block_.local) {
    const std::size_t first = new_index(local.first_token);
    local.num_tokens = new_index(local.first_token + local.num_tokens) - first;
    local.first_token = first;
  }
  block_.tokens = rows.size();
}

void Evaluator::finish_block(HalfLayer place) {
  if (block_.tokens == 0) return;
  const model::Replacements replacements{&state_, block_.local};
  const auto num_layers = static_cast<std::uint32_t>(transformer_.model().parameters().num_layers);
  for (std::uint32_t layer = place.layer; layer < num_layers; ++layer) {
    const bool enters_ffn = place == HalfLayer{layer, true};
    if (layer != place.layer)
      transformer_.project_attention(layer, block_.tokens, block_.x.data(), replacements,
                                     block_.attention);
    if (!enters_ffn)
      transformer_.finish_attention(layer, block_.segments, block_.attention, replacements,
                                    block_.x.data());
    if (layer + 1 == num_layers) keep_scored_rows();
    if (enters_ffn) {
      transformer_.finish_ffn(layer, block_.tokens, block_.hidden.data(), replacements,
                              block_.x.data());
    } else {
      run_ffn(layer, replacements);
    }
  }
  scorer_.score(block_.x.data(), block_.members, replacements);
  block_.clear();
}

std::vector<double> Evaluator::evaluate_flips(std::span<const patch::Flip> flips) {
  return evaluate_flips(flips, all_sequences_);
}

std::vector<double> Evaluator::evaluate_flips(std::span<const patch::Flip> flips,
                                              std::span<const std::uint32_t> sequences) {
  std::vector<double> values(flips.size() * objective_.terms.size());
  std::vector<Candidate> candidates;  // alive while a block refers to their bytes
  block_.clear();
  for (std::size_t i = 0; i < flips.size(); ++i) {
    const HalfLayer place = half_layer_of(flips[i].tensor);
    if (trace_.valid && trace_.place != place) {
      finish_block(trace_.place);
      candidates.clear();
    }
    load_trace(place);
    candidates.push_back(prepare(flips[i]));
    for (const std::uint32_t sequence : sequences) {
      if (block_.tokens > 0 &&
          block_.tokens + objective_.sequences[sequence].size() > block_tokens_)
        finish_block(place);
      add(candidates.back(), sequence, values.data() + i * objective_.terms.size());
    }
  }
  if (trace_.valid) finish_block(trace_.place);
  std::vector<double> scores;
  for (std::size_t i = 0; i < flips.size(); ++i) {
    const auto some = scorer_.item_scores(
        std::span(values).subspan(i * objective_.terms.size(), objective_.terms.size()));
    scores.insert(scores.end(), some.begin(), some.end());
  }
  return scores;
}

std::uint64_t Evaluator::cost_from(HalfLayer from) const {
  const std::uint64_t above = transformer_.model().parameters().num_layers - from.layer;
  return (2 * above - (from.is_ffn ? 1 : 0)) * num_tokens_;
}

std::uint64_t Evaluator::flip_cost(TensorAddress tensor) const {
  return cost_from(half_layer_of(tensor));
}

std::uint64_t Evaluator::full_cost() const { return cost_from({}); }

}  // namespace bankai::bfs
