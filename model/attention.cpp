// The attention stage of the forward pass: norms and rotation of queries and keys, causal softmax
// attention of each token over its own segment.
#include <algorithm>
#include <cmath>

#include "model/parallel.h"
#include "model/transformer.h"

namespace bankai::model {
namespace {

// Queries that meet the keys and values of a head together: enough that a kernel's loads are
// shared, few enough that their scores over a long context stay in the second-level cache.
constexpr std::size_t kQueriesTogether = 24;

std::size_t round_up_to_key_block(std::size_t positions) {
  return (positions + kernels::kKeyBlock - 1) / kernels::kKeyBlock * kernels::kKeyBlock;
}

}  // namespace

// Looks up, for every token of the block, its position and where its segment's keys and values lie,
// and cuts the segments into runs of tokens that attend together.
void Transformer::place_tokens(std::size_t layer, std::span<const Segment> segments,
                               std::size_t tokens) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t run_tokens =
      std::max<std::size_t>(1, kQueriesTogether / (h.num_heads / h.num_kv_heads));
  places_.resize(tokens);
  runs_.clear();
  std::size_t scratch_rows = 0;
  std::size_t positions = 0;
  for (const Segment& segment : segments) {
    const bool has_cache = segment.cache != nullptr;
    KvRows* kv = has_cache ? &segment.cache->layer(layer) : &scratch_kv_;
    const std::size_t first_row = has_cache ? 0 : scratch_rows;
    if (!has_cache) scratch_rows += round_up_to_key_block(segment.num_tokens);
    for (std::size_t i = 0; i < segment.num_tokens; ++i)
      places_[segment.first_token + i] = {kv, first_row, segment.past + i};
    for (std::size_t i = 0; i < segment.num_tokens; i += run_tokens)
      runs_.push_back({segment.first_token + i, std::min(run_tokens, segment.num_tokens - i)});
    positions = std::max(positions, segment.past + segment.num_tokens);
  }
  scratch_kv_.resize(scratch_rows);
  rope_.extend_to(positions);
}

// Norms and rotates the key of one head and the queries that read it, and stores key and value.
void Transformer::rotate_and_store(std::size_t layer, std::size_t token, std::size_t kv_head,
                                   AttentionProjections& projections) const {
  const Hyperparameters& h = model_.parameters();
  const LayerWeights& weights = model_.layer(layer);
  const TokenPlace& place = places_[token];
  const auto norm_and_rotate = [&](float* head, const std::vector<float>& norm) {
    if (h.has_qk_norm) table_.rms_norm(head, norm.data(), h.head_dim, h.rms_epsilon, head);
    table_.rope_neox(head, rope_.cos(place.position), rope_.sin(place.position), rope_.half());
  };
  const std::size_t heads = h.num_heads / h.num_kv_heads;
  float* query = projections.query.data() + token * h.query_dim() + kv_head * heads * h.head_dim;
  for (std::size_t head = 0; head < heads; ++head)
    norm_and_rotate(query + head * h.head_dim, weights.query_norm);
  const std::size_t offset = token * h.kv_dim() + kv_head * h.head_dim;
  norm_and_rotate(projections.key.data() + offset, weights.key_norm);
  place.kv->write(table_, kv_head, place.first_row + place.position,
                  projections.key.data() + offset, projections.value.data() + offset);
}

// The queries of a run of tokens that read one key/value head.
void Transformer::attend_run(const TokenRun& run, std::size_t kv_head,
                             const AttentionProjections& projections, AttentionScratch& scratch) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t heads = h.num_heads / h.num_kv_heads;
  const std::size_t width = heads * h.head_dim;  // of a token's queries for this head
  const std::size_t num_queries = run.num_tokens * heads;
  const TokenPlace& first = places_[run.first_token];
  const std::size_t num_positions = first.position + run.num_tokens;
  const std::size_t stride = round_up_to_key_block(num_positions);
  const float scale = 1.0F / std::sqrt(static_cast<float>(h.head_dim));
  const auto offset_of = [&](std::size_t i) {
    return (run.first_token + i) * h.query_dim() + kv_head * width;
  };
  scratch.queries.resize(num_queries * h.head_dim);
  scratch.scores.resize(num_queries * stride);
  scratch.mixed.assign(num_queries * h.head_dim, 0.0F);
  for (std::size_t i = 0; i < run.num_tokens; ++i)
    std::copy_n(projections.query.data() + offset_of(i), width, scratch.queries.data() + i * width);
  float* scores = scratch.scores.data();
  first.kv->score(table_, kv_head, first.first_row, num_positions, scratch.queries.data(),
                  num_queries, scale, scores, stride);
  scratch.sums.resize(num_queries);
  for (std::size_t q = 0; q < num_queries; ++q)
    scratch.sums[q] = table_.exponentials(scores + q * stride, first.position + q / heads + 1);
  // What all tokens of the run see, then what only the later ones do.
  const std::size_t seen_by_all = first.position + 1;
  first.kv->mix(table_, kv_head, first.first_row, seen_by_all, scores, stride, num_queries,
                scratch.mixed.data());
  for (std::size_t i = 1; i < run.num_tokens; ++i)
    first.kv->mix(table_, kv_head, first.first_row + seen_by_all, i,
                  scores + i * heads * stride + seen_by_all, stride, heads,
                  scratch.mixed.data() + i * width);
  // The weights were not normalised: that is done once for their sum of values.
  for (std::size_t q = 0; q < num_queries; ++q) {
    const float factor = 1.0F / scratch.sums[q];
    const float* from = scratch.mixed.data() + q * h.head_dim;
    float* to = mixed_.data() + offset_of(q / heads) + q % heads * h.head_dim;
    for (std::size_t d = 0; d < h.head_dim; ++d) to[d] = from[d] * factor;
  }
}

void Transformer::attend(std::size_t layer, std::span<const Segment> segments,
                         AttentionProjections& projections) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t heads = h.num_kv_heads;
  mixed_.resize(projections.query.size());
  // A token that is all of its segment needs no other token's key of this block, so that the thread
  // that stores its key and value of a head goes on with that head.
  const bool are_single = std::all_of(segments.begin(), segments.end(), [](const Segment& segment) {
    return segment.num_tokens <= 1;
  });
  if (!are_single) {
    const StageClock clock(stage_times_, Stage::kRotate);
    const std::size_t elements = projections.query.size() + projections.key.size();
    parallel_for(threads_for(elements, kElementWork), places_.size() * heads,
                 [&](IndexRange range) {
                   for (std::size_t item = range.begin; item < range.end; ++item)
                     rotate_and_store(layer, item / heads, item % heads, projections);
                 });
  }
  const StageClock clock(stage_times_, Stage::kAttend);
  std::size_t num_pairs = 0;  // of a token and a position that it sees
  for (const TokenPlace& place : places_) num_pairs += place.position + 1;
  // A float of the cache takes as long as several packed weights.
  constexpr std::size_t kCacheWork = 8;
  parallel_for(threads_for(num_pairs, 2 * kCacheWork * h.query_dim()), runs_.size() * heads,
               [&](IndexRange range) {
                 AttentionScratch scratch;
                 for (std::size_t item = range.begin; item < range.end; ++item) {
                   // Late tokens see more than early ones: alternate between both ends, so that
                   // ranges cost the same.
                   const std::size_t turn = item / heads;
                   const std::size_t run = turn % 2 == 0 ? turn / 2 : runs_.size() - 1 - turn / 2;
                   if (are_single)
                     rotate_and_store(layer, runs_[run].first_token, item % heads, projections);
                   attend_run(runs_[run], item % heads, projections, scratch);
                 }
               });
}

}  // namespace bankai::model
