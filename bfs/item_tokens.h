// Where the tokens of an item are in a slice of the data.
#pragma once

#include "bfs/predicted_change.h"
#include "core/partition.h"

namespace bankai::bfs {

struct ItemTokens {
  ItemEffect effect;
  IndexRange tokens;  // of the arrays of a slice
};

}  // namespace bankai::bfs
