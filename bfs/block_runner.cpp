#include "bfs/block_runner.h"

#include <algorithm>

namespace bankai::bfs {

void BlockRunner::begin(const Chunk& chunk, std::size_t copies, const model::RowOverlay& state,
                        bool only_scored) {
  chunk_ = &chunk;
  copies_ = copies;
  replacements_ = {&state, {}};
  only_scored_ = only_scored;
  scored_.clear();
  segments_.clear();
  for (std::size_t copy = 0; copy < copies; ++copy) {
    const std::size_t first_token = copy * chunk.nodes.size();
    const std::size_t first_segment = copy * chunk.segments.size();
    for (model::Segment segment : chunk.segments) {
      segment.first_token += first_token;
      if (segment.parent != model::Segment::kNoParent) segment.parent += first_segment;
      segments_.push_back(segment);
    }
    for (const std::size_t token : chunk.scored) scored_.push_back(first_token + token);
  }
}

std::span<const std::uint32_t> BlockRunner::nodes() const {
  return only_scored_ ? chunk_->scored_nodes : chunk_->nodes;
}

bool BlockRunner::is_last(std::uint32_t layer) const {
  return layer + 1 == transformer_.model().parameters().num_layers;
}

std::span<const std::size_t> BlockRunner::query_tokens() const {
  return only_scored_ ? std::span<const std::size_t>(scored_) : std::span<const std::size_t>();
}

void BlockRunner::keep_scored() {
  if (only_scored_) return;
  const std::size_t width = transformer_.model().parameters().embedding;
  for (std::size_t i = 0; i < scored_.size(); ++i)
    if (scored_[i] != i) std::copy_n(x_.data() + scored_[i] * width, width, x_.data() + i * width);
  x_.resize(scored_.size() * width);
  only_scored_ = true;
}

void BlockRunner::run(HalfLayer place) {
  const std::size_t rows = copies_ * nodes().size();
  if (place.is_ffn) {
    transformer_.project_ffn(place.layer, rows, x_.data(), replacements_, ffn_);
    transformer_.activate_ffn(ffn_);
  } else if (is_last(place.layer)) {
    transformer_.project_keys_values(place.layer, rows, x_.data(), replacements_, attention_);
    keep_scored();
    transformer_.project_queries(place.layer, scored_.size(), x_.data(), replacements_, attention_);
  } else {
    transformer_.project_attention(place.layer, rows, x_.data(), replacements_, attention_);
  }
  finish(place);
}

void BlockRunner::finish(HalfLayer place) {
  if (place.is_ffn) {
    transformer_.finish_ffn(place.layer, copies_ * nodes().size(), ffn_.gate.data(), replacements_,
                            x_.data());
  } else {
    transformer_.finish_attention(place.layer, segments_, attention_, replacements_, x_.data(),
                                  query_tokens());
  }
}

const std::vector<float>& BlockRunner::mix_values(std::uint32_t layer) {
  return transformer_.mix_values(layer, segments_, attention_, query_tokens());
}

std::vector<ScoredRow> BlockRunner::scored_rows(std::span<double* const> values) const {
  std::vector<ScoredRow> rows;
  for (double* const of_copy : values)
    for (const std::vector<std::size_t>& terms : chunk_->terms) rows.push_back({terms, of_copy});
  return rows;
}

void BlockRunner::score(const TermScorer& terms, std::span<double* const> values) {
  keep_scored();
  terms.score(scorer_, x_.data(), replacements_, scored_rows(values));
}

void BlockRunner::record_reference(TermScorer& terms) {
  keep_scored();
  double* const nowhere[] = {nullptr};
  terms.record_reference(scorer_, x_.data(), scored_rows(nowhere));
}

}  // namespace bankai::bfs
