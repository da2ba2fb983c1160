// KernelTable::accumulate_outer for any vector type V of 16 float lanes: the mixing of attention
// values (attention_body.h) with rows of out for queries and tokens for positions, on copies of
// blocks of a and b. The copies are contiguous and stay in the second-level cache, whatever the
// strides of a and b are: rows of a matrix whose width is a power of two would share a few of its
// sets.
#pragma once

#include <cstddef>

#include "kernels/attention_body.h"

namespace bankai::kernels {
namespace {

// A block of b takes 128 KiB, one of a 48 KiB. A sum is loaded and stored once per kOuterTokens
// terms; an element of b is copied once per kOuterRows of its uses, one of a once.
constexpr std::size_t kOuterTokens = 128;
constexpr std::size_t kOuterCols = 256;
constexpr std::size_t kOuterRows = 96;  // divided by the rows of every tile

struct alignas(64) OuterBlocks {
  float a[kOuterTokens * kOuterRows];  // (tokens, rows)
  float b[kOuterTokens * kOuterCols];  // (tokens, cols)
};

template <typename V>
void copy_rows(const float* from, std::size_t stride, std::size_t height, std::size_t width,
               float* to) {
  for (std::size_t i = 0; i < height; ++i)
    for_each_block(width, [&](std::size_t j, auto lanes) {
      V::load(from + i * stride + j, lanes).store(to + i * width + j, lanes);
    });
}

template <typename V>
void accumulate_outer(const float* a, std::size_t a_stride, std::size_t rows, const float* b,
                      std::size_t b_stride, std::size_t cols, std::size_t tokens, float* out,
                      std::size_t out_stride) {
  OuterBlocks blocks;
  // Tokens in spans of about equal length: each span of a chain of terms costs a load and a store.
  const std::size_t num_spans = (tokens + kOuterTokens - 1) / kOuterTokens;
  for (std::size_t row = 0; row < rows; row += kOuterRows) {
    const std::size_t num_rows = least(kOuterRows, rows - row);
    for (std::size_t span = 0; span < num_spans; ++span) {
      const std::size_t token = tokens * span / num_spans;
      const std::size_t num_tokens = tokens * (span + 1) / num_spans - token;
      copy_rows<V>(a + token * a_stride + row, a_stride, num_tokens, num_rows, blocks.a);
      for (std::size_t col = 0; col < cols; col += kOuterCols) {
        const std::size_t num_cols = least(kOuterCols, cols - col);
        copy_rows<V>(b + token * b_stride + col, b_stride, num_tokens, num_cols, blocks.b);
        mix_all<V, WeightOrder::kByPosition, least(V::kAccumulators, 6)>(
            blocks.a, num_rows, num_rows, FloatRows<KvType::kF32>{blocks.b, num_cols}, num_tokens,
            num_cols, out + row * out_stride + col, out_stride);
      }
    }
  }
}

}  // namespace
}  // namespace bankai::kernels
