#include "bfs/objective_shard.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "bfs/chunk.h"
#include "bfs/prefix_tree.h"
#include "core/check.h"
#include "core/format.h"
#include "mpi/group_layout.h"
#include "mpi/scheduling.h"

namespace bankai::bfs {
namespace {

constexpr double kMebibyte = 1048576.0;

// The sequences that these terms look at, ascending.
std::set<std::uint32_t> sequences_of(const Objective& objective, std::size_t first_term,
                                     std::size_t last_term) {
  std::set<std::uint32_t> sequences;
  for (std::size_t i = first_term; i < last_term; ++i)
    sequences.insert(objective.terms[i].sequence);
  return sequences;
}

std::uint64_t count_nodes(const Objective& objective) {
  std::vector<std::uint32_t> all(objective.sequences.size());
  std::iota(all.begin(), all.end(), 0U);
  return PrefixTree(objective.sequences, evaluation_order(objective, all)).num_nodes();
}

// Nodes of the largest shard.
std::uint64_t count_nodes(const Objective& objective, std::span<const IndexRange> shards) {
  std::uint64_t most = 0;
  for (const IndexRange items : shards)
    most = std::max(most, count_nodes(make_shard(objective, items)));
  return most;
}

}  // namespace

std::vector<std::uint64_t> item_tokens(const Objective& objective) {
  std::vector<std::uint64_t> tokens;
  for (const Item& item : objective.items) {
    tokens.push_back(0);
    for (const std::uint32_t sequence : sequences_of(objective, item.first_term, item.last_term))
      tokens.back() += objective.sequences[sequence].size();
  }
  return tokens;
}

std::vector<IndexRange> item_shards(const Objective& objective, std::size_t shards) {
  BANKAI_CHECK(shards > 0, "no shards to cut");
  return mpi::share_by_cost(item_tokens(objective), std::vector<std::uint32_t>(shards, 1));
}

Objective make_shard(const Objective& objective, IndexRange items) {
  BANKAI_CHECK(items.begin <= items.end && items.end <= objective.items.size(),
               "items out of range");
  Objective shard;
  if (items.size() == 0) return shard;
  const std::size_t first_term = objective.items[items.begin].first_term;
  const std::size_t last_term = objective.items[items.end - 1].last_term;
  std::vector<std::uint32_t> new_index(objective.sequences.size());
  for (const std::uint32_t sequence : sequences_of(objective, first_term, last_term)) {
    new_index[sequence] = static_cast<std::uint32_t>(shard.sequences.size());
    shard.sequences.push_back(objective.sequences[sequence]);
  }
  for (std::size_t i = first_term; i < last_term; ++i) {
    shard.terms.push_back(objective.terms[i]);
    shard.terms.back().sequence = new_index[objective.terms[i].sequence];
  }
  for (std::size_t i = items.begin; i < items.end; ++i) {
    shard.items.push_back(objective.items[i]);
    shard.items.back().first_term -= first_term;
    shard.items.back().last_term -= first_term;
  }
  return shard;
}

std::vector<double> join_item_scores(std::span<const std::vector<double>> parts,
                                     std::span<const IndexRange> shards, std::size_t evaluations) {
  BANKAI_CHECK(parts.size() == shards.size() && !shards.empty(), "a shard without scores");
  const std::size_t num_items = shards.back().end;
  std::vector<double> scores(evaluations * num_items);
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const std::size_t width = shards[shard].size();
    BANKAI_CHECK(parts[shard].size() == evaluations * width, "scores of another shape");
    for (std::size_t i = 0; i < evaluations; ++i)
      std::copy_n(parts[shard].data() + i * width, width,
                  scores.data() + i * num_items + shards[shard].begin);
  }
  return scores;
}

Result<int> shards_for_memory(const Objective& objective, std::uint64_t token_bytes,
                              std::uint64_t limit, int ranks) {
  if (limit == 0 || token_bytes == 0) return 1;
  const std::uint64_t fitting = limit / token_bytes;  // tokens
  if (count_nodes(objective) <= fitting) return 1;
  const std::vector<std::uint64_t> tokens = item_tokens(objective);
  const mpi::DataSize size{std::accumulate(tokens.begin(), tokens.end(), std::uint64_t{0}),
                           *std::max_element(tokens.begin(), tokens.end())};
  const int shards = mpi::shards_that_fit(size, fitting, ranks);
  if (shards < ranks) return shards;
  const std::uint64_t most =
      count_nodes(objective, item_shards(objective, static_cast<std::size_t>(ranks)));
  if (most <= fitting) return ranks;
  return make_error(ErrorCode::kUsage,
                    "the activations to be kept take %.1f MiB per rank (ranks: %d), more than the "
                    "limit of %.1f MiB: search fewer layers, use more ranks, or allow more",
                    static_cast<double>(most * token_bytes) / kMebibyte, ranks,
                    static_cast<double>(limit) / kMebibyte);
}

}  // namespace bankai::bfs
