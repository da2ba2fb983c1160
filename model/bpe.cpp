#include "model/bpe.h"

namespace bankai::model {

// Positions run from 0 to n - 1; n ends the chain on the right, and a position that was merged away
// holds kNoToken, which no rule names.
void BpeMerger::merge(std::vector<TokenId>& tokens) {
  const std::size_t n = tokens.size();
  links_.resize(n);
  for (std::size_t i = 0; i < n; ++i) links_[i] = {i == 0 ? n : i - 1, i + 1};
  for (std::size_t i = 0; i < n; ++i) propose(tokens, i);

  while (!queue_.empty()) {
    const Candidate best = queue_.top();
    queue_.pop();
    const MergeRule& rule = table_->rule(best.rank);
    const std::size_t right = links_[best.left].next;
    // Proposals are not withdrawn when a neighbour merges: a stale one shows here.
    if (right == n || tokens[best.left] != rule.left || tokens[right] != rule.right) continue;

    tokens[best.left] = rule.result;
    tokens[right] = kNoToken;
    const std::size_t next = links_[right].next;
    links_[best.left].next = next;
    if (next != n) links_[next].previous = best.left;
    if (const std::size_t previous = links_[best.left].previous; previous != n)
      propose(tokens, previous);
    propose(tokens, best.left);
  }
  std::erase(tokens, kNoToken);
}

void BpeMerger::propose(const std::vector<TokenId>& tokens, std::size_t left) {
  const std::size_t right = links_[left].next;
  if (right == tokens.size()) return;
  const std::uint32_t rank = table_->find(tokens[left], tokens[right]);
  if (rank != MergeTable::kNoRank) queue_.push({rank, left});
}

}  // namespace bankai::model
