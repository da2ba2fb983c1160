#include "model/merges.h"

#include <bit>
#include <string>

#include "core/format.h"

namespace bankai::model {
namespace {

constexpr const char* kMergesKey = "tokenizer.ggml.merges";

// The finaliser of SplitMix64 over both ids.
std::size_t hash_of(TokenId left, TokenId right) {
  std::uint64_t x =
      std::uint64_t{static_cast<std::uint32_t>(left)} << 32U | static_cast<std::uint32_t>(right);
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return static_cast<std::size_t>(x ^ (x >> 31U));
}

}  // namespace

Result<MergeTable> MergeTable::create(std::span<const std::string_view> lines,
                                      const Vocabulary& vocabulary) {
  if (lines.size() >= kNoRank)
    return make_error(ErrorCode::kBadInput, "%s has %zu rules, expected fewer than %u", kMergesKey,
                      lines.size(), kNoRank);
  MergeTable table;
  table.rules_.reserve(lines.size());
  table.slots_.assign(std::bit_ceil(2 * lines.size() + 1), kNoRank);
  std::string joined;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    // The alphabet has no space, so the first one separates; a part that is a space may come first.
    const std::size_t space = line.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == line.size())
      return make_error(ErrorCode::kBadInput, "%s: rule %zu is %s, expected two parts", kMergesKey,
                        i, quoted(line).c_str());
    const std::string_view left = line.substr(0, space);
    const std::string_view right = line.substr(space + 1);
    joined.assign(left).append(right);
    const MergeRule rule{vocabulary.find_plain(left), vocabulary.find_plain(right),
                         vocabulary.find_plain(joined)};
    if (rule.left == kNoToken || rule.right == kNoToken || rule.result == kNoToken) continue;
    std::uint32_t& slot = table.slots_[table.slot_of(rule.left, rule.right)];
    if (slot != kNoRank)
      return make_error(ErrorCode::kBadInput, "%s: rule %zu, %s, occurs twice", kMergesKey, i,
                        quoted(line).c_str());
    slot = static_cast<std::uint32_t>(table.rules_.size());
    table.rules_.push_back(rule);
  }
  return table;
}

std::size_t MergeTable::slot_of(TokenId left, TokenId right) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(left, right) & mask;
  while (slots_[slot] != kNoRank &&
         (rules_[slots_[slot]].left != left || rules_[slots_[slot]].right != right))
    slot = (slot + 1) & mask;
  return slot;
}

}  // namespace bankai::model
