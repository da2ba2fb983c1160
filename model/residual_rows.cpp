#include "model/residual_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "model/parallel.h"
#include "model/shared_tokens.h"

namespace bankai::model {
namespace {

constexpr std::size_t kSliceTokens = 512;  // that go through a half-layer together

// `count` of the items, or all, evenly spread.
std::vector<std::size_t> spread(const std::vector<std::size_t>& items, std::size_t count) {
  if (count >= items.size()) return items;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 1; i <= count; ++i)
    chosen.push_back(items[i * (items.size() + 1) / (count + 1) - 1]);
  return chosen;
}

// `kept` gets every second half-layer from `first` on, at most `count` of them; those that it has
// keep their memory.
template <typename Parts>
void keep_some(std::size_t first, std::size_t top, std::size_t count,
               std::map<std::size_t, Parts>& kept) {
  std::map<std::size_t, Parts> chosen;
  for (std::size_t i = first; i < top && chosen.size() < count; i += 2)
    chosen[i] = std::move(kept[i]);
  kept = std::move(chosen);
}

}  // namespace

void ResidualRows::begin(std::span<const TokenId> tokens, std::span<const Segment> segments,
                         const Replacements& replacements, std::size_t lowest, std::size_t top,
                         std::size_t memory) {
  const Hyperparameters& h = transformer_.model().parameters();
  replacements_ = &replacements;
  lowest_ = lowest;
  tokens_.clear();
  row_of_.clear();
  slices_.clear();
  for (std::size_t first = 0; first < segments.size();) {
    std::size_t last = first;
    std::size_t count = 0;
    for (; last < segments.size(); ++last) {
      if (last > first && count + segments[last].num_tokens > kSliceTokens) break;
      count += segments[last].num_tokens;
    }
    add_slice(tokens, segments.subspan(first, last - first));
    first = last;
  }
  while (!kept_.empty()) spare_.push_back(std::move(kept_.extract(kept_.begin()).mapped()));
  const std::size_t row_bytes =
      std::max<std::size_t>(1, tokens_.size() * h.embedding * sizeof(float));
  const std::size_t ffn_bytes = 2 * tokens_.size() * h.feed_forward * sizeof(float) + 1;
  most_kept_ = std::min(memory / row_bytes, top - lowest);
  // With room left for more than all rows: what takes longest to compute again, pre-activations of
  // feed-forward halves and then the parts of attention.
  std::size_t left = most_kept_ < top - lowest ? 0 : memory - most_kept_ * row_bytes;
  const std::size_t attention_bytes =
      tokens_.size() * AttentionParts::floats(h) * sizeof(float) + 1;
  keep_some(lowest | 1U, top, left / ffn_bytes, kept_ffn_);
  left -= std::min(left, kept_ffn_.size() * ffn_bytes);
  keep_some((lowest + 1) / 2 * 2, top, left / attention_bytes, kept_attention_);
}

void ResidualRows::add_slice(std::span<const TokenId> tokens, std::span<const Segment> segments) {
  const std::size_t first = segments.front().first_token;
  const std::size_t count = segments.back().first_token + segments.back().num_tokens - first;
  std::vector<Segment> of_slice(segments.begin(), segments.end());
  for (Segment& segment : of_slice) segment.first_token -= first;
  SharedTokens shared = share_beginnings(tokens.subspan(first, count), of_slice);
  for (const std::size_t place : shared.place_of) row_of_.push_back(tokens_.size() + place);
  slices_.push_back({tokens_.size(), shared.tokens.size(), std::move(shared.segments)});
  tokens_.insert(tokens_.end(), shared.tokens.begin(), shared.tokens.end());
}

// Half-layers between two others whose rows are worth keeping: attention halves first, since a
// feed-forward half costs more to run again.
std::vector<std::size_t> ResidualRows::choose(std::size_t above, std::size_t below,
                                              std::size_t count) const {
  std::vector<std::size_t> halves[2];
  for (std::size_t i = std::max(above + 1, lowest_); i < below; ++i) halves[i % 2].push_back(i);
  std::vector<std::size_t> chosen = spread(halves[0], count);
  const std::vector<std::size_t> more = spread(halves[1], count - chosen.size());
  chosen.insert(chosen.end(), more.begin(), more.end());
  return chosen;
}

void ResidualRows::finish_ffn(std::size_t layer, std::size_t rows,
                              const FfnProjections& projections, const Replacements& replacements,
                              float* x) {
  const Hyperparameters& h = transformer_.model().parameters();
  for (std::size_t first = 0; first < rows; first += kSliceTokens) {
    const std::size_t count = std::min(kSliceTokens, rows - first);
    const float* gate = projections.gate.data() + first * h.feed_forward;
    const float* up = projections.up.data() + first * h.feed_forward;
    hidden_.resize(count * h.feed_forward);
    parallel_for(transformer_.options().threads, hidden_.size(), [&](IndexRange range) {
      transformer_.activate(gate + range.begin, up + range.begin, range.size(),
                            hidden_.data() + range.begin);
    });
    transformer_.finish_ffn(layer, count, hidden_.data(), replacements, x + first * h.embedding);
  }
}

void ResidualRows::step(std::size_t half_layer, float* x) {
  const std::size_t layer = half_layer / 2;
  if (const auto kept = kept_ffn_.find(half_layer); kept != kept_ffn_.end()) {
    transformer_.project_ffn(layer, tokens_.size(), x, *replacements_, kept->second);
    finish_ffn(layer, tokens_.size(), kept->second, *replacements_, x);
    return;
  }
  const auto kept = kept_attention_.find(half_layer);
  if (kept != kept_attention_.end()) kept->second.clear();
  for (const Slice& slice : slices_) {
    const std::size_t width = transformer_.model().parameters().embedding;
    float* rows = x + slice.first_row * width;
    if (half_layer % 2 == 1) {
      transformer_.project_ffn(layer, slice.num_rows, rows, *replacements_, ffn_);
      transformer_.activate_ffn(ffn_);
      transformer_.finish_ffn(layer, slice.num_rows, ffn_.gate.data(), *replacements_, rows);
    } else if (kept != kept_attention_.end()) {
      AttentionParts& parts = kept->second;
      append_attention(transformer_, layer, slice.num_rows, rows, slice.segments, *replacements_,
                       attention_, parts);
      const std::size_t mixed_width = transformer_.model().parameters().query_dim();
      transformer_.finish_output(layer, slice.num_rows,
                                 parts.mixed.data() + slice.first_row * mixed_width, *replacements_,
                                 rows);
    } else {
      transformer_.project_attention(layer, slice.num_rows, rows, *replacements_, attention_);
      transformer_.finish_attention(layer, slice.segments, attention_, *replacements_, rows);
    }
  }
}

// out = the rows of some tokens of the block.
void ResidualRows::spread_some(const std::vector<float>& rows, std::size_t width, IndexRange tokens,
                               std::vector<float>& out) const {
  out.resize(tokens.size() * width);
  parallel_for(transformer_.options().threads, tokens.size(), [&](IndexRange range) {
    for (std::size_t t = range.begin; t < range.end; ++t)
      std::copy_n(rows.data() + row_of_[tokens.begin + t] * width, width, out.data() + t * width);
  });
}

void ResidualRows::load(std::size_t half_layer, std::vector<float>& x) {
  while (!kept_.empty() && kept_.rbegin()->first > half_layer)
    spare_.push_back(std::move(kept_.extract(std::prev(kept_.end())).mapped()));
  const std::size_t width = transformer_.model().parameters().embedding;
  std::size_t at = 0;
  if (kept_.empty()) {
    x_.resize(tokens_.size() * width);
    transformer_.embed(tokens_, *replacements_, x_.data());
  } else {
    at = kept_.rbegin()->first;
    if (at == half_layer) {
      spread_some(kept_.rbegin()->second, width, {0, row_of_.size()}, x);
      return;
    }
    x_ = kept_.rbegin()->second;
  }
  for (const std::size_t place : choose(at, half_layer, most_kept_ - kept_.size())) {
    std::vector<float>& rows = kept_[place];
    if (spare_.empty()) continue;
    rows = std::move(spare_.back());
    spare_.pop_back();
  }
  for (; at < half_layer; ++at) {
    if (const auto kept = kept_.find(at); kept != kept_.end()) kept->second = x_;
    step(at, x_.data());
  }
  spread_some(x_, width, {0, row_of_.size()}, x);
}

bool ResidualRows::ffn(std::size_t half_layer, IndexRange tokens, FfnProjections& out) const {
  const auto kept = kept_ffn_.find(half_layer);
  if (kept == kept_ffn_.end()) return false;
  const std::size_t width = transformer_.model().parameters().feed_forward;
  spread_some(kept->second.gate, width, tokens, out.gate);
  spread_some(kept->second.up, width, tokens, out.up);
  return true;
}

bool ResidualRows::attention(std::size_t half_layer, IndexRange tokens, AttentionParts& out) const {
  const auto kept = kept_attention_.find(half_layer);
  if (kept == kept_attention_.end()) return false;
  const Hyperparameters& h = transformer_.model().parameters();
  const AttentionParts& parts = kept->second;
  spread_some(parts.query, h.query_dim(), tokens, out.query);
  spread_some(parts.key, h.kv_dim(), tokens, out.key);
  spread_some(parts.rotated.query, h.query_dim(), tokens, out.rotated.query);
  spread_some(parts.rotated.key, h.kv_dim(), tokens, out.rotated.key);
  spread_some(parts.rotated.value, h.kv_dim(), tokens, out.rotated.value);
  spread_some(parts.mixed, h.query_dim(), tokens, out.mixed);
  return true;
}

}  // namespace bankai::model
