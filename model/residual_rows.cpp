#include "model/residual_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "model/parallel.h"

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

}  // namespace

void ResidualRows::begin(std::span<const TokenId> tokens, std::span<const Segment> segments,
                         const Replacements& replacements, std::size_t lowest, std::size_t top,
                         std::size_t memory) {
  const Hyperparameters& h = transformer_.model().parameters();
  tokens_ = tokens;
  replacements_ = &replacements;
  lowest_ = lowest;
  slices_.clear();
  for (const Segment& segment : segments) {
    if (slices_.empty() || slices_.back().num_tokens + segment.num_tokens > kSliceTokens)
      slices_.push_back({segment.first_token, 0, {}});
    Slice& slice = slices_.back();
    slice.segments.push_back({slice.num_tokens, segment.num_tokens, nullptr, 0});
    slice.num_tokens += segment.num_tokens;
  }
  while (!kept_.empty()) spare_.push_back(std::move(kept_.extract(kept_.begin()).mapped()));
  const std::size_t row_bytes =
      std::max<std::size_t>(1, tokens.size() * h.embedding * sizeof(float));
  const std::size_t ffn_bytes = 2 * tokens.size() * h.feed_forward * sizeof(float) + 1;
  most_rows_ = std::min(memory / row_bytes, top - lowest);
  // Pre-activations of feed-forward halves, if there is room for all rows: they are what takes
  // longest to compute again.
  std::size_t most_ffn =
      most_rows_ < top - lowest ? 0 : (memory - most_rows_ * row_bytes) / ffn_bytes;
  std::map<std::size_t, FfnProjections> kept_ffn;
  for (std::size_t i = lowest; i < top && most_ffn > 0; ++i) {
    if (i % 2 == 0) continue;
    kept_ffn[i] = std::move(kept_ffn_[i]);
    --most_ffn;
  }
  kept_ffn_ = std::move(kept_ffn);
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
  for (const Slice& slice : slices_) {
    float* rows = x + slice.first_token * transformer_.model().parameters().embedding;
    if (half_layer % 2 == 0) {
      transformer_.project_attention(layer, slice.num_tokens, rows, *replacements_, attention_);
      transformer_.finish_attention(layer, slice.segments, attention_, *replacements_, rows);
    } else {
      transformer_.project_ffn(layer, slice.num_tokens, rows, *replacements_, ffn_);
      transformer_.activate_ffn(ffn_);
      transformer_.finish_ffn(layer, slice.num_tokens, ffn_.gate.data(), *replacements_, rows);
    }
  }
}

void ResidualRows::load(std::size_t half_layer, std::vector<float>& x) {
  while (!kept_.empty() && kept_.rbegin()->first > half_layer)
    spare_.push_back(std::move(kept_.extract(std::prev(kept_.end())).mapped()));
  std::size_t at = 0;
  if (kept_.empty()) {
    x.resize(tokens_.size() * transformer_.model().parameters().embedding);
    transformer_.embed(tokens_, *replacements_, x.data());
  } else {
    at = kept_.rbegin()->first;
    if (at == half_layer) {  // for the last time
      std::swap(x, kept_.rbegin()->second);
      return;
    }
    x = kept_.rbegin()->second;
  }
  for (const std::size_t place : choose(at, half_layer, most_rows_ - kept_.size())) {
    std::vector<float>& rows = kept_[place];
    if (spare_.empty()) continue;
    rows = std::move(spare_.back());
    spare_.pop_back();
  }
  for (; at < half_layer; ++at) {
    if (const auto kept = kept_.find(at); kept != kept_.end()) kept->second = x;
    step(at, x.data());
  }
}

const FfnProjections* ResidualRows::ffn(std::size_t half_layer) const {
  const auto kept = kept_ffn_.find(half_layer);
  return kept == kept_ffn_.end() ? nullptr : &kept->second;
}

}  // namespace bankai::model
