#include "model/shared_tokens.h"

#include <algorithm>

namespace bankai::model {

SharedTokens share_beginnings(std::span<const TokenId> tokens, std::span<const Segment> segments) {
  SharedTokens shared;
  std::span<const TokenId> before;
  std::vector<std::size_t> places;    // of the sequence before
  std::vector<std::size_t> owner_of;  // by place: its segment
  for (const Segment& segment : segments) {
    const auto sequence = tokens.subspan(segment.first_token, segment.num_tokens);
    const auto past = static_cast<std::size_t>(
        std::mismatch(sequence.begin(), sequence.end(), before.begin(), before.end()).first -
        sequence.begin());
    places.resize(past);
    if (past < sequence.size()) {
      Segment own{shared.tokens.size(), sequence.size() - past, nullptr, past};
      if (past > 0) own.parent = owner_of[places.back()];
      for (std::size_t i = past; i < sequence.size(); ++i) {
        places.push_back(shared.tokens.size());
        shared.tokens.push_back(sequence[i]);
        owner_of.push_back(shared.segments.size());
      }
      shared.segments.push_back(own);
    }
    shared.place_of.insert(shared.place_of.end(), places.begin(), places.end());
    before = sequence;
  }
  return shared;
}

}  // namespace bankai::model
