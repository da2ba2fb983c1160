#include "bfs/trace.h"

#include <algorithm>

#include "bfs/overlay.h"
#include "core/check.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kRowsTogether = kernels::kPanelRows;  // of flipped rows in a product

bool is_second(Projection projection) {
  return projection == Projection::kDown || projection == Projection::kOutput;
}

bool is_mlp(Projection projection) {
  return projection == Projection::kGate || projection == Projection::kUp;
}

// Rows `nodes` of `from` (…, width), once for each candidate, with the candidate's column in place
// of its own where `changes(candidate)`.
template <typename Changes>
void gather(std::span<const float> from, std::size_t width, std::span<const std::uint32_t> nodes,
            std::span<const Candidate> candidates, Changes changes, std::vector<float>& to) {
  to.resize(candidates.size() * nodes.size() * width);
  float* row = to.data();
  for (const Candidate& candidate : candidates) {
    const bool is_changed = changes(candidate);
    for (const std::uint32_t node : nodes) {
      std::copy_n(from.data() + node * width, width, row);
      if (is_changed) row[candidate.row] = candidate.column[node];
      row += width;
    }
  }
}

constexpr auto kAll = [](const Candidate&) { return true; };
constexpr auto kNone = [](const Candidate&) { return false; };
constexpr auto of(Projection projection) {
  return [projection](const Candidate& candidate) { return candidate.projection == projection; };
}

}  // namespace

void Trace::load(HalfLayer place, const std::vector<float>& x, const model::RowOverlay& state) {
  if (is_loaded_ && place_ == place) return;
  place_ = place;
  x_ = &x;
  state_ = &state;
  has_inner_ = false;
  model::Transformer& transformer = runner_.transformer();
  const model::LayerWeights& weights = transformer.model().layer(place.layer);
  const model::Replacements replacements{state_, {}};
  if (place.is_ffn) {
    transformer.normalise(num_nodes_, x.data(), weights.ffn_norm, outer_);
    transformer.project_ffn(place.layer, num_nodes_, x.data(), replacements, ffn_);
    hidden_.resize(ffn_.gate.size());
    transformer.activate(ffn_.gate.data(), ffn_.up.data(), hidden_.size(), hidden_.data());
  } else {
    transformer.normalise(num_nodes_, x.data(), weights.attention_norm, outer_);
    transformer.project_attention(place.layer, num_nodes_, x.data(), replacements, attention_);
  }
  is_loaded_ = true;
}

// The second matrix's inputs and the residual behind it, of all nodes.
void Trace::load_inner() {
  if (has_inner_) return;
  model::Transformer& transformer = runner_.transformer();
  const model::Hyperparameters& h = transformer.model().parameters();
  const model::LayerWeights& weights = transformer.model().layer(place_.layer);
  const model::Replacements replacements{state_, {}};
  after_ = *x_;
  if (place_.is_ffn) {
    transformer.quantise(num_nodes_, hidden_.data(), h.feed_forward, weights.ffn_sub_norm, inner_);
    transformer.finish_ffn(place_.layer, num_nodes_, hidden_.data(), replacements, after_.data());
  } else {
    const std::size_t width = h.query_dim();
    std::vector<float> mixed(num_nodes_ * width);
    const Candidate unchanged;
    for (const Chunk& chunk : chunks_) {
      runner_.begin(chunk, 1, *state_, false);
      model::AttentionProjections& attention = runner_.attention();
      gather(attention_.query, width, chunk.nodes, {&unchanged, 1}, kNone, attention.query);
      gather(attention_.key, h.kv_dim(), chunk.nodes, {&unchanged, 1}, kNone, attention.key);
      gather(attention_.value, h.kv_dim(), chunk.nodes, {&unchanged, 1}, kNone, attention.value);
      const std::vector<float>& of_chunk = runner_.mix_values(place_.layer);
      for (std::size_t i = 0; i < chunk.nodes.size(); ++i)
        std::copy_n(of_chunk.data() + i * width, width, mixed.data() + chunk.nodes[i] * width);
    }
    transformer.quantise(num_nodes_, mixed.data(), width, weights.attention_sub_norm, inner_);
    transformer.finish_output(place_.layer, num_nodes_, mixed.data(), replacements, after_.data());
  }
  has_inner_ = true;
}

// What a first matrix puts out in the state: (nodes, rows).
std::span<const float> Trace::outputs(Projection projection) const {
  switch (projection) {
    case Projection::kGate: return ffn_.gate;
    case Projection::kUp: return ffn_.up;
    case Projection::kQuery: return attention_.query;
    case Projection::kKey: return attention_.key;
    default: return attention_.value;
  }
}

std::vector<std::vector<float>> Trace::flipped_outputs(std::span<const patch::Flip> flips) {
  const model::Model& model = runner_.transformer().model();
  const TensorAddress tensor = flips.front().tensor;
  const bool second = is_second(tensor.projection);
  const model::WeightMatrix& matrix = *model.find_matrix(tensor);
  std::vector<std::vector<float>> columns(flips.size(), std::vector<float>(num_nodes_));
  std::vector<std::size_t> multiplied;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < flips.size(); ++i) {
    if (flips[i].kind == patch::FlipKind::kRow && !second) {
      // A negated row puts out exactly the negated sum.
      const std::span<const float> values = outputs(tensor.projection);
      for (std::size_t node = 0; node < num_nodes_; ++node)
        columns[i][node] = -values[node * matrix.weights.rows + flips[i].row];
    } else {
      multiplied.push_back(i);
      const std::vector<std::uint8_t> row = flipped_row(model, *state_, flips[i]);
      bytes.insert(bytes.end(), row.begin(), row.end());
    }
  }
  const std::size_t count = multiplied.size();
  if (count == 0) return columns;
  std::vector<float> products(num_nodes_ * count);
  runner_.transformer().multiply_given(matrix, bytes.data(), count, second ? inner_ : outer_, 0,
                                       num_nodes_, products.data(), count);
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t node = 0; node < num_nodes_; ++node)
      columns[multiplied[k]][node] = products[node * count + k];
  return columns;
}

std::vector<Candidate> Trace::prepare(std::span<const patch::Flip> flips) {
  const model::Transformer& transformer = runner_.transformer();
  const std::size_t embedding = transformer.model().parameters().embedding;
  std::vector<Candidate> candidates;
  while (!flips.empty()) {
    const TensorAddress tensor = flips.front().tensor;
    const Projection projection = tensor.projection;
    BANKAI_CHECK(half_layer_of(tensor) == place_, "a flip of another half-layer");
    const std::size_t rows = transformer.model().find_matrix(tensor)->weights.rows;
    std::size_t count = 1;
    while (count < std::min({flips.size(), kRowsTogether, rows}) && flips[count].tensor == tensor)
      ++count;
    if (is_second(projection)) load_inner();
    std::vector<std::vector<float>> columns = flipped_outputs(flips.first(count));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = flips[i].row;
      std::vector<float>& column = columns[i];
      if (is_second(projection)) {
        for (std::size_t node = 0; node < num_nodes_; ++node)
          column[node] = (*x_)[node * embedding + row] + column[node];
      } else if (is_mlp(projection)) {
        // The hidden unit that the row feeds, with the flipped row on its side.
        const bool flips_gate = projection == Projection::kGate;
        const std::span<const float> others =
            outputs(flips_gate ? Projection::kUp : Projection::kGate);
        std::vector<float> other(num_nodes_);
        for (std::size_t node = 0; node < num_nodes_; ++node)
          other[node] = others[node * rows + row];
        transformer.activate((flips_gate ? column : other).data(),
                             (flips_gate ? other : column).data(), num_nodes_, column.data());
      }
      candidates.push_back({projection, row, std::move(column)});
    }
    flips = flips.subspan(count);
  }
  return candidates;
}

bool Trace::go_together(const Candidate& a, const Candidate& b) {
  return is_second(a.projection) == is_second(b.projection);
}

void Trace::enter_block(std::span<const Candidate> candidates, BlockRunner& runner) const {
  const model::Hyperparameters& h = runner.transformer().model().parameters();
  const Projection projection = candidates.front().projection;
  if (is_second(projection)) {
    gather(after_, h.embedding, runner.nodes(), candidates, kAll, runner.x());
    return;
  }
  // No candidate changes the residual below the second matrix.
  gather(*x_, h.embedding, runner.nodes(), candidates, kNone, runner.x());
  if (place_.is_ffn) {
    gather(hidden_, h.feed_forward, runner.nodes(), candidates, kAll, runner.hidden());
    return;
  }
  const std::span<const std::uint32_t> all = runner.chunk().nodes;
  model::AttentionProjections& attention = runner.attention();
  gather(attention_.query, h.query_dim(), runner.nodes(), candidates, of(Projection::kQuery),
         attention.query);
  gather(attention_.key, h.kv_dim(), all, candidates, of(Projection::kKey), attention.key);
  gather(attention_.value, h.kv_dim(), all, candidates, of(Projection::kValue), attention.value);
}

void Trace::run_half_layer(std::span<const Candidate> candidates, const Chunk& chunk,
                           BlockRunner& runner) const {
  const std::size_t num_layers = runner.transformer().model().parameters().num_layers;
  runner.begin(chunk, candidates.size(), *state_, place_.layer + 1 == num_layers);
  enter_block(candidates, runner);
  if (!is_second(candidates.front().projection)) runner.finish(place_);
}

}  // namespace bankai::bfs
