// Sequences of a block without what they have in common with the one before: a token's result
// depends on the tokens before it alone, so that beginnings that are alike need to be run once.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace bankai::model {

struct SharedTokens {
  std::vector<TokenId> tokens;        // that are run, in the order of the block
  std::vector<Segment> segments;      // of them
  std::vector<std::size_t> place_of;  // where each token of the block is among them
};

// REQUIRES: the segments have no past, and cover the tokens in order.
SharedTokens share_beginnings(std::span<const TokenId> tokens, std::span<const Segment> segments);

}  // namespace bankai::model
