// The attention stage of the forward pass: norms and rotation of queries and keys, causal softmax
// attention of each token over its own segment.
#include <algorithm>

#include "model/kv_attention.h"
#include "model/parallel.h"
#include "model/transformer.h"

namespace bankai::model {
namespace {

// Queries that meet the keys and values of a head together: enough that a kernel's loads are
// shared, few enough that their scores over a long context stay in the second-level cache.
constexpr std::size_t kQueriesTogether = 24;

}  // namespace

// Looks up, for every token of the block, its position and where its segment's keys and values lie.
void Transformer::place_tokens(std::size_t layer, std::span<const Segment> segments,
                               std::size_t tokens) {
  places_.resize(tokens);
  key_runs_.clear();
  std::size_t scratch_rows = 0;
  std::size_t positions = 0;
  for (const Segment& segment : segments) {
    const bool has_cache = segment.cache != nullptr;
    KvRows* kv = has_cache ? &segment.cache->layer(layer) : &scratch_kv_;
    const std::size_t first_row = has_cache ? 0 : scratch_rows;
    const std::size_t last = segment.past + segment.num_tokens;
    if (!has_cache) scratch_rows += round_up_to_key_block(last);
    for (std::size_t i = 0; i < segment.num_tokens; ++i) {
      const std::size_t position = segment.past + i;
      places_[segment.first_token + i] = {kv, first_row, position};
      if (i == 0 || position % kernels::kKeyBlock == 0)
        key_runs_.push_back({segment.first_token + i, 0});
      ++key_runs_.back().num_tokens;
    }
    positions = std::max(positions, last);
  }
  if (scratch_rows > scratch_rows_) scratch_kv_.resize(scratch_rows_ = scratch_rows);
  rope_.extend_to(positions);
}

// Cuts the queries of the block, which are those of `query_tokens` or of all tokens, into runs.
void Transformer::collect_runs(std::span<const std::size_t> query_tokens) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t run_queries =
      std::max<std::size_t>(1, kQueriesTogether / (h.num_heads / h.num_kv_heads));
  const std::size_t count = query_tokens.empty() ? places_.size() : query_tokens.size();
  runs_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const TokenPlace& place = places_[query_tokens.empty() ? i : query_tokens[i]];
    if (!runs_.empty()) {
      QueryRun& run = runs_.back();
      const TokenPlace& first = run.first_place;
      if (run.num_queries < run_queries && place.kv == first.kv &&
          place.first_row == first.first_row &&
          place.position == first.position + run.num_queries) {
        ++run.num_queries;
        continue;
      }
    }
    runs_.push_back({i, 1, place});
  }
}

// `offset`: of the head in `bias`. Biases are no part of the projections, which stay products of
// weights alone: what flips and their gradients speak of.
void Transformer::norm_and_rotate(const std::vector<float>& norm, const std::vector<float>& bias,
                                  std::size_t offset, std::size_t position, float* head) const {
  const Hyperparameters& h = model_.parameters();
  if (h.has_biases) table_.add_f32(bias.data() + offset, head, h.head_dim);
  if (h.has_qk_norm) table_.rms_norm(head, norm.data(), h.head_dim, h.rms_epsilon, head);
  if (h.rope.neighbours) split_pairs(head, rope_.half());
  table_.rope_neox(head, rope_.cos(position), rope_.sin(position), rope_.half());
}

// Norms and rotates a token's key of one head, and stores it with the value.
void Transformer::store_key(std::size_t layer, std::size_t token, std::size_t kv_head,
                            AttentionProjections& projections) const {
  const Hyperparameters& h = model_.parameters();
  const TokenPlace& place = places_[token];
  const LayerWeights& weights = model_.layer(layer);
  const std::size_t offset = token * h.kv_dim() + kv_head * h.head_dim;
  norm_and_rotate(norms_.empty() ? weights.key_norm : norms_[layer].key, weights.key_bias,
                  kv_head * h.head_dim, place.position, projections.key.data() + offset);
  place.kv->write(table_, kv_head, place.first_row + place.position,
                  projections.key.data() + offset, projections.value.data() + offset);
}

// All keys and values of the block. A segment's shared positions are copied before its own are
// written, since they share blocks of keys, and after its parent's are complete.
void Transformer::store_keys(std::size_t layer, std::span<const Segment> segments,
                             AttentionProjections& projections) {
  const std::size_t heads = model_.parameters().num_kv_heads;
  const int threads = threads_for(projections.key.size(), kElementWork);
  const bool has_parents = std::any_of(segments.begin(), segments.end(), [](const Segment& s) {
    return s.parent != Segment::kNoParent;
  });
  if (!has_parents) {
    parallel_for(threads, key_runs_.size() * heads, [&](IndexRange range) {
      for (std::size_t item = range.begin; item < range.end; ++item) {
        const KeyRun& run = key_runs_[item / heads];
        for (std::size_t i = 0; i < run.num_tokens; ++i)
          store_key(layer, run.first_token + i, item % heads, projections);
      }
    });
    return;
  }
  parallel_for(threads, heads, [&](IndexRange range) {
    for (std::size_t head = range.begin; head < range.end; ++head) {
      for (const Segment& segment : segments) {
        if (segment.parent != Segment::kNoParent)
          scratch_kv_.copy_prefix(head, places_[segments[segment.parent].first_token].first_row,
                                  places_[segment.first_token].first_row, segment.past);
        for (std::size_t i = 0; i < segment.num_tokens; ++i)
          store_key(layer, segment.first_token + i, head, projections);
      }
    }
  });
}

// Norms and rotates the queries of a run that read one key/value head.
void Transformer::rotate_queries(std::size_t layer, const QueryRun& run, std::size_t kv_head,
                                 AttentionProjections& projections) const {
  const Hyperparameters& h = model_.parameters();
  const LayerWeights& weights = model_.layer(layer);
  const std::size_t heads = h.num_heads / h.num_kv_heads;
  for (std::size_t i = 0; i < run.num_queries; ++i) {
    float* queries = projections.query.data() + (run.first_query + i) * h.query_dim();
    for (std::size_t head = kv_head * heads; head < (kv_head + 1) * heads; ++head)
      norm_and_rotate(norms_.empty() ? weights.query_norm : norms_[layer].query, weights.query_bias,
                      head * h.head_dim, run.first_place.position + i, queries + head * h.head_dim);
  }
}

// What the queries of a run read from one key/value head. The bias of the values is added here,
// once: the weights of all positions sum to one.
void Transformer::attend_run(std::size_t layer, const QueryRun& run, std::size_t kv_head,
                             const AttentionProjections& projections, AttentionScratch& scratch) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t heads = h.num_heads / h.num_kv_heads;
  const std::size_t width = heads * h.head_dim;  // of a token's queries for this head
  const std::size_t num_queries = run.num_queries * heads;
  const TokenPlace& first = run.first_place;
  const auto offset_of = [&](std::size_t i) {
    return (run.first_query + i) * h.query_dim() + kv_head * width;
  };
  scratch.queries.resize(num_queries * h.head_dim);
  scratch.mixed.resize(num_queries * h.head_dim);
  for (std::size_t i = 0; i < run.num_queries; ++i)
    std::copy_n(projections.query.data() + offset_of(i), width, scratch.queries.data() + i * width);
  attend_kv(table_, {*first.kv, kv_head, first.first_row, h.head_dim},
            {run.num_queries, heads, first.position}, scratch.queries.data(), scratch.scores,
            scratch.sums, scratch.mixed.data());
  for (std::size_t q = 0; q < num_queries; ++q) {
    float* to = mixed_.data() + offset_of(q / heads) + q % heads * h.head_dim;
    std::copy_n(scratch.mixed.data() + q * h.head_dim, h.head_dim, to);
    if (h.has_biases)
      table_.add_f32(model_.layer(layer).value_bias.data() + kv_head * h.head_dim, to, h.head_dim);
  }
}

void Transformer::attend(std::size_t layer, std::span<const Segment> segments,
                         AttentionProjections& projections) {
  const Hyperparameters& h = model_.parameters();
  const std::size_t heads = h.num_kv_heads;
  mixed_.resize(projections.query.size());
  // A token that is all of its segment needs no other token's key of this block, so that the thread
  // that stores its key and value of a head goes on with that head.
  const bool are_single =
      std::all_of(segments.begin(), segments.end(),
                  [](const Segment& segment) {
                    return segment.num_tokens <= 1 && segment.parent == Segment::kNoParent;
                  }) &&
      runs_.size() == places_.size();
  if (!are_single) {
    const StageClock clock(stage_times_, Stage::kRotate);
    store_keys(layer, segments, projections);
    parallel_for(threads_for(projections.query.size(), kElementWork), runs_.size() * heads,
                 [&](IndexRange range) {
                   for (std::size_t item = range.begin; item < range.end; ++item)
                     rotate_queries(layer, runs_[item / heads], item % heads, projections);
                 });
  }
  const StageClock clock(stage_times_, Stage::kAttend);
  std::size_t num_pairs = 0;  // of a query and a position that it sees, about
  for (const QueryRun& run : runs_)
    num_pairs += run.num_queries * (run.first_place.position + run.num_queries);
  // A float of the cache takes as long as several packed weights.
  constexpr std::size_t kCacheWork = 8;
  parallel_for(threads_for(num_pairs, 2 * kCacheWork * h.query_dim()), runs_.size() * heads,
               [&](IndexRange range) {
                 AttentionScratch scratch;
                 for (std::size_t item = range.begin; item < range.end; ++item) {
                   // Late tokens see more than early ones: alternate between both ends, so that
                   // ranges cost the same.
                   const std::size_t turn = item / heads;
                   const std::size_t index = turn % 2 == 0 ? turn / 2 : runs_.size() - 1 - turn / 2;
                   const QueryRun& run = runs_[index];
                   if (are_single) {  // then runs are the block's tokens
                     store_key(layer, index, item % heads, projections);
                     rotate_queries(layer, run, item % heads, projections);
                   }
                   attend_run(layer, run, item % heads, projections, scratch);
                 }
               });
}

}  // namespace bankai::model
