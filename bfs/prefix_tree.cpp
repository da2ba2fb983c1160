#include "bfs/prefix_tree.h"

#include <algorithm>

namespace bankai::bfs {

PrefixTree::PrefixTree(std::span<const std::vector<model::TokenId>> sequences,
                       std::span<const std::uint32_t> order)
    : paths_(sequences.size()) {
  const std::vector<model::TokenId>* before = nullptr;
  const std::vector<std::uint32_t>* path_before = nullptr;
  for (const std::uint32_t index : order) {
    const std::vector<model::TokenId>& sequence = sequences[index];
    std::vector<std::uint32_t>& path = paths_[index];
    if (before != nullptr) {
      const auto shared =
          std::mismatch(sequence.begin(), sequence.end(), before->begin(), before->end()).first -
          sequence.begin();
      path.assign(path_before->begin(), path_before->begin() + shared);
    }
    for (std::size_t i = path.size(); i < sequence.size(); ++i) {
      path.push_back(static_cast<std::uint32_t>(tokens_.size()));
      tokens_.push_back(sequence[i]);
    }
    before = &sequence;
    path_before = &path;
  }
}

}  // namespace bankai::bfs
