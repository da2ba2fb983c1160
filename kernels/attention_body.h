// The attention ops of KernelTable, written once for any vector type V of 16 float lanes; see
// elementwise_body.h. V::kAccumulators is how many sums of 16 lanes find a register beside their
// operands: tiles of queries × blocks of keys, or queries × runs of 16 dimensions, take as many.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention_sources.h"
#include "kernels/kernel_table.h"
#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

// The largest of 8, 4, 2 and 1 that is at most n.
constexpr std::size_t power_of_two_up_to_8(std::size_t n) {
  return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

// A tile of kQueries × kBlocks of the scores.
template <typename V, std::size_t kQueries, std::size_t kBlocks, typename Keys>
void score_tile(const float* queries, std::size_t query_stride, std::size_t head_dim, Keys keys,
                float scale, float* out, std::size_t out_stride) {
  typename Keys::template Block<V> block[kBlocks];
  for (std::size_t b = 0; b < kBlocks; ++b) block[b] = keys.template block<V>(b);
  V sum[kQueries][kBlocks];
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t b = 0; b < kBlocks; ++b) sum[q][b] = V::zero();
  for (std::size_t d = 0; d < head_dim; ++d) {
    V key[kBlocks];
    for (std::size_t b = 0; b < kBlocks; ++b) key[b] = block[b].at(d);
    for (std::size_t q = 0; q < kQueries; ++q) {
      const V query = V::broadcast(queries[q * query_stride + d]);
      for (std::size_t b = 0; b < kBlocks; ++b) sum[q][b] = V::fma(query, key[b], sum[q][b]);
    }
  }
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t b = 0; b < kBlocks; ++b)
      (sum[q][b] * V::broadcast(scale)).store(out + q * out_stride + b * kKeyBlock, AllLanes{});
}

// In tiles of kBlocks blocks, then of half as many, and so on: a tile of few sums waits for each.
template <typename V, std::size_t kQueries, std::size_t kBlocks, typename Keys>
void score_queries(const float* queries, std::size_t query_stride, std::size_t head_dim, Keys keys,
                   std::size_t num_blocks, float scale, float* out, std::size_t out_stride) {
  std::size_t block = 0;
  for (; block + kBlocks <= num_blocks; block += kBlocks)
    score_tile<V, kQueries, kBlocks>(queries, query_stride, head_dim, keys.from(block), scale,
                                     out + block * kKeyBlock, out_stride);
  if constexpr (kBlocks > 1)
    score_queries<V, kQueries, kBlocks / 2>(queries, query_stride, head_dim, keys.from(block),
                                            num_blocks - block, scale, out + block * kKeyBlock,
                                            out_stride);
}

// Queries in tiles of kQueries, then of half as many, and so on; each tile with as many blocks as
// there are accumulators left, rounded down to a power of two so that halving leaves none over.
template <typename V, std::size_t kQueries, typename Keys>
void score_all(const float* queries, std::size_t num_queries, std::size_t query_stride,
               std::size_t head_dim, Keys keys, std::size_t num_blocks, float scale, float* out,
               std::size_t out_stride) {
  constexpr std::size_t kBlocks =
      power_of_two_up_to_8(V::kAccumulators / (kQueries + Keys::kVectorsPerBlock));
  std::size_t q = 0;
  for (; q + kQueries <= num_queries; q += kQueries)
    score_queries<V, kQueries, kBlocks>(queries + q * query_stride, query_stride, head_dim, keys,
                                        num_blocks, scale, out + q * out_stride, out_stride);
  if constexpr (kQueries > 1)
    score_all<V, kQueries / 2>(queries + q * query_stride, num_queries - q, query_stride, head_dim,
                               keys, num_blocks, scale, out + q * out_stride, out_stride);
}

template <typename V, KvType kType>
void attention_scores(const float* queries, std::size_t num_queries, std::size_t query_stride,
                      std::size_t head_dim, const void* keys, std::size_t num_blocks,
                      std::size_t block_stride, float scale, float* out, std::size_t out_stride) {
  const FloatKeys<kType> source{static_cast<const typename KvElement<kType>::Type*>(keys),
                                block_stride};
  score_all<V, power_of_two_up_to_8(V::kAccumulators)>(queries, num_queries, query_stride, head_dim,
                                                       source, num_blocks, scale, out, out_stride);
}

template <typename V, std::size_t kBits>
void packed_scores(const float* queries, std::size_t num_queries, std::size_t query_stride,
                   std::size_t head_dim, const PackedVectors& keys, std::size_t num_blocks,
                   float scale, float* out, std::size_t out_stride) {
  const PackedKeys<kBits> source{keys.codes, head_dim * code_run_bytes(kBits), keys.scales,
                                 keys.minima};
  score_all<V, power_of_two_up_to_8(V::kAccumulators)>(queries, num_queries, query_stride, head_dim,
                                                       source, num_blocks, scale, out, out_stride);
}

// How weights lie in memory: those of a query together, or those of a position.
enum class WeightOrder : std::uint8_t { kByQuery, kByPosition };

// A tile of kQueries × kRuns runs of 16 dimensions of the mixed values; all lanes or, for one run,
// the first ones.
template <typename V, WeightOrder kOrder, std::size_t kQueries, std::size_t kRuns, typename Rows,
          typename Lanes>
void value_tile(const float* weights, std::size_t weight_stride, Rows rows,
                std::size_t num_positions, float* out, std::size_t out_stride, Lanes lanes) {
  V sum[kQueries][kRuns];
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t r = 0; r < kRuns; ++r)
      sum[q][r] = V::load(out + q * out_stride + r * kLanes, lanes);
  for (std::size_t j = 0; j < num_positions; ++j) {
    const typename Rows::template Row<V> row = rows.template row<V>(j);
    V value[kRuns];
    for (std::size_t r = 0; r < kRuns; ++r) value[r] = row.run(r, lanes);
    for (std::size_t q = 0; q < kQueries; ++q) {
      const V weight =
          V::broadcast(kOrder == WeightOrder::kByQuery ? weights[q * weight_stride + j]
                                                       : weights[j * weight_stride + q]);
      for (std::size_t r = 0; r < kRuns; ++r) sum[q][r] = V::fma(weight, value[r], sum[q][r]);
    }
  }
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t r = 0; r < kRuns; ++r)
      sum[q][r].store(out + q * out_stride + r * kLanes, lanes);
}

template <typename V, WeightOrder kOrder, std::size_t kQueries, std::size_t kRuns, typename Rows>
void mix_queries(const float* weights, std::size_t weight_stride, Rows rows,
                 std::size_t num_positions, std::size_t head_dim, float* out,
                 std::size_t out_stride) {
  std::size_t d = 0;
  for (; d + kRuns * kLanes <= head_dim; d += kRuns * kLanes)
    value_tile<V, kOrder, kQueries, kRuns>(weights, weight_stride, rows.from_dimension(d),
                                           num_positions, out + d, out_stride, AllLanes{});
  for (; d + kLanes <= head_dim; d += kLanes)
    value_tile<V, kOrder, kQueries, 1>(weights, weight_stride, rows.from_dimension(d),
                                       num_positions, out + d, out_stride, AllLanes{});
  if (d < head_dim)
    value_tile<V, kOrder, kQueries, 1>(weights, weight_stride, rows.from_dimension(d),
                                       num_positions, out + d, out_stride,
                                       FirstLanes{head_dim - d});
}

// As score_all, with runs of dimensions for blocks: a power of two divides the 8 of a usual head.
template <typename V, WeightOrder kOrder, std::size_t kQueries, typename Rows>
void mix_all(const float* weights, std::size_t num_queries, std::size_t weight_stride, Rows rows,
             std::size_t num_positions, std::size_t head_dim, float* out, std::size_t out_stride) {
  constexpr std::size_t kRuns = power_of_two_up_to_8(
      (V::kAccumulators - least(V::kAccumulators, Rows::kVectorsPerRow)) / kQueries);
  constexpr std::size_t kFewer = kQueries > 4 ? 4 : kQueries / 2;
  const std::size_t query_step = kOrder == WeightOrder::kByQuery ? weight_stride : 1;
  std::size_t q = 0;
  for (; q + kQueries <= num_queries; q += kQueries)
    mix_queries<V, kOrder, kQueries, kRuns>(weights + q * query_step, weight_stride, rows,
                                            num_positions, head_dim, out + q * out_stride,
                                            out_stride);
  if constexpr (kFewer > 0)
    mix_all<V, kOrder, kFewer>(weights + q * query_step, num_queries - q, weight_stride, rows,
                               num_positions, head_dim, out + q * out_stride, out_stride);
}

template <typename V, KvType kType>
void attention_values(const float* weights, std::size_t num_queries, std::size_t weight_stride,
                      const void* values, std::size_t row_stride, std::size_t num_positions,
                      std::size_t head_dim, float* out, std::size_t out_stride) {
  const FloatRows<kType> source{static_cast<const typename KvElement<kType>::Type*>(values),
                                row_stride};
  mix_all<V, WeightOrder::kByQuery, least(V::kAccumulators, 6)>(
      weights, num_queries, weight_stride, source, num_positions, head_dim, out, out_stride);
}

template <typename V, std::size_t kBits>
void packed_values(const float* weights, std::size_t num_queries, std::size_t weight_stride,
                   const PackedVectors& values, std::size_t num_positions, std::size_t head_dim,
                   float* out, std::size_t out_stride) {
  const PackedRows<kBits> source{values.codes,
                                 (head_dim + kLanes - 1) / kLanes * code_run_bytes(kBits),
                                 values.scales, values.minima};
  mix_all<V, WeightOrder::kByQuery, least(V::kAccumulators, 6)>(
      weights, num_queries, weight_stride, source, num_positions, head_dim, out, out_stride);
}

}  // namespace
}  // namespace bankai::kernels
