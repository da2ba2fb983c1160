// Causal softmax attention over the keys and values of one head, whatever their format. Single
// precision; the same bytes for every table and however queries are grouped.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/kv_cache.h"

namespace bankai::model {

// Keys and values of a sequence in one head: position p is row first_row + p. first_row is a
// multiple of 16.
struct KvHeadRows {
  const KvRows& rows;
  std::size_t head = 0;
  std::size_t first_row = 0;
  std::size_t head_dim = 0;
};

// Consecutive tokens whose queries read that head, `heads` of them each.
struct KvQueries {
  std::size_t num_tokens = 0;
  std::size_t heads = 0;
  std::size_t first_position = 0;  // of the first token: each sees its own position and all before
};

// out (num_tokens · heads, head_dim) = softmax(query · keys / sqrt(head_dim)) · values. `vectors`
// holds the queries in the same order, and is rotated in place where the format rotates
// (kv_rotation.h). `scores` and `sums` are scratch memory. REQUIRES: the tokens' own keys and
// values are in place.
void attend_kv(const kernels::KernelTable& table, const KvHeadRows& kv, const KvQueries& queries,
               float* vectors, std::vector<float>& scores, std::vector<float>& sums, float* out);

}  // namespace bankai::model
