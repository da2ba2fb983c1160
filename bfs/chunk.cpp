#include "bfs/chunk.h"

#include <algorithm>
#include <map>
#include <set>

namespace bankai::bfs {
namespace {

// By sequence: whether a target looks at it.
std::vector<bool> sequences_of_targets(const Objective& objective) {
  std::vector<bool> found(objective.sequences.size(), false);
  for (const Item& item : objective.items)
    if (!item.is_control)
      for (std::size_t i = item.first_term; i < item.last_term; ++i)
        found[objective.terms[i].sequence] = true;
  return found;
}

// Adds one sequence after the other to a chunk.
class ChunkBuilder {
 public:
  ChunkBuilder(const PrefixTree& tree, std::span<const std::vector<std::size_t>> terms_of_sequence,
               const Objective& objective)
      : tree_(tree), terms_of_sequence_(terms_of_sequence), objective_(objective) {}

  bool empty() const { return chunk_.sequences.empty(); }
  std::size_t num_tokens() const { return chunk_.nodes.size(); }
  std::size_t num_new_tokens(std::uint32_t sequence) const {
    return tree_.path(sequence).size() - num_shared(sequence);
  }

  void add(std::uint32_t sequence) {
    const std::span<const std::uint32_t> path = tree_.path(sequence);
    const std::size_t shared = num_shared(sequence);
    path_.resize(shared);
    if (shared < path.size()) {
      model::Segment segment{chunk_.nodes.size(), path.size() - shared, nullptr, shared};
      if (shared > 0) segment.parent = path_.back().segment;
      for (std::size_t i = shared; i < path.size(); ++i) {
        path_.push_back({chunk_.segments.size(), chunk_.nodes.size()});
        chunk_.nodes.push_back(path[i]);
      }
      chunk_.segments.push_back(segment);
    }
    chunk_.sequences.push_back(sequence);
    for (const std::size_t term : terms_of_sequence_[sequence])
      terms_[path_[objective_.terms[term].row].token].push_back(term);
  }

  // The chunk; the builder is empty again. `first_new_node`: nodes from it on are in no earlier
  // chunk; it moves on.
  Chunk take(std::uint32_t& first_new_node) {
    Chunk chunk = std::move(chunk_);
    chunk.first_own_node = first_new_node;
    if (!chunk.nodes.empty()) first_new_node = std::max(first_new_node, chunk.nodes.back() + 1);
    for (auto& [token, terms] : terms_) {
      chunk.scored.push_back(token);
      chunk.scored_nodes.push_back(chunk.nodes[token]);
      chunk.first_to_score.push_back(scored_before_.insert(chunk.nodes[token]).second ? 1 : 0);
      chunk.terms.push_back(std::move(terms));
    }
    chunk_ = {};
    terms_.clear();
    path_.clear();
    return chunk;
  }

 private:
  struct Place {
    std::size_t segment = 0;
    std::size_t token = 0;  // of the chunk
  };

  // Tokens that the sequence shares with the one added last.
  std::size_t num_shared(std::uint32_t sequence) const {
    if (chunk_.sequences.empty()) return 0;
    const auto path = tree_.path(sequence);
    const auto before = tree_.path(chunk_.sequences.back());
    return static_cast<std::size_t>(
        std::mismatch(path.begin(), path.end(), before.begin(), before.end()).first - path.begin());
  }

  const PrefixTree& tree_;
  std::span<const std::vector<std::size_t>> terms_of_sequence_;
  const Objective& objective_;
  Chunk chunk_;
  std::set<std::uint32_t> scored_before_;                  // nodes, by chunks that were taken
  std::vector<Place> path_;                                // of the sequence added last
  std::map<std::size_t, std::vector<std::size_t>> terms_;  // by token
};

}  // namespace

std::vector<std::uint32_t> evaluation_order(const Objective& objective,
                                            std::span<const std::uint32_t> chosen) {
  const std::vector<bool> is_target = sequences_of_targets(objective);
  std::vector<std::uint32_t> order(chosen.begin(), chosen.end());
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (is_target[a] != is_target[b]) return static_cast<bool>(is_target[a]);
    return objective.sequences[a] < objective.sequences[b];
  });
  return order;
}

std::vector<Chunk> make_chunks(const Objective& objective, const PrefixTree& tree,
                               std::span<const std::uint32_t> order, std::size_t chunk_tokens) {
  std::vector<std::vector<std::size_t>> terms_of_sequence(objective.sequences.size());
  for (std::size_t i = 0; i < objective.terms.size(); ++i)
    terms_of_sequence[objective.terms[i].sequence].push_back(i);
  const std::vector<bool> is_target = sequences_of_targets(objective);
  std::vector<Chunk> chunks;
  ChunkBuilder builder(tree, terms_of_sequence, objective);
  std::uint32_t first_new_node = 0;
  bool has_targets = false;  // the chunk that is being built
  for (const std::uint32_t sequence : order) {
    if (terms_of_sequence[sequence].empty()) continue;  // nothing looks at it
    const bool is_full = builder.num_tokens() + builder.num_new_tokens(sequence) > chunk_tokens ||
                         has_targets != is_target[sequence];
    if (!builder.empty() && is_full) chunks.push_back(builder.take(first_new_node));
    builder.add(sequence);
    has_targets = is_target[sequence];
  }
  if (!builder.empty()) chunks.push_back(builder.take(first_new_node));
  return chunks;
}

}  // namespace bankai::bfs
