// An objective cut into contiguous shards of items, for ranks that share the data: each evaluates
// its shard alone, and the scores of all items, put together again, have the same bits as those of
// the whole objective.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "core/partition.h"
#include "core/result.h"

namespace bankai::bfs {

// Tokens of the sequences that each item looks at, (items). A sequence that several items share
// counts for each of them.
std::vector<std::uint64_t> item_tokens(const Objective& objective);

// `shards` ranges of items, in order, of about equal tokens: at most the mean and the largest item.
// Some are empty where there are fewer items. REQUIRES: shards is positive.
std::vector<IndexRange> item_shards(const Objective& objective, std::size_t shards);

// The objective of these items alone: their terms, and the sequences that these look at, both in
// the same order.
Objective make_shard(const Objective& objective, IndexRange items);

// Scores (evaluations, items of a shard) of every shard, in order → (evaluations, items).
std::vector<double> join_item_scores(std::span<const std::vector<double>> parts,
                                     std::span<const IndexRange> shards, std::size_t evaluations);

// How many of `ranks` have to share the data, at least, so that none keeps more than `limit` bytes
// (0: no limit) at `token_bytes` for each token of the prefix tree of its sequences. Estimated from
// above where the data do not fit as a whole. Errors: kUsage if they do not even fit into all ranks
// together.
Result<int> shards_for_memory(const Objective& objective, std::uint64_t token_bytes,
                              std::uint64_t limit, int ranks);

}  // namespace bankai::bfs
