#include "bfs/objective_shard.h"

#include <algorithm>
#include <set>

#include "core/check.h"
#include "mpi/scheduling.h"

namespace bankai::bfs {
namespace {

// The sequences that these terms look at, ascending.
std::set<std::uint32_t> sequences_of(const Objective& objective, std::size_t first_term,
                                     std::size_t last_term) {
  std::set<std::uint32_t> sequences;
  for (std::size_t i = first_term; i < last_term; ++i)
    sequences.insert(objective.terms[i].sequence);
  return sequences;
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

}  // namespace bankai::bfs
