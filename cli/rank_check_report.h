// What `bankai-search --check-ranking` tells.
#pragma once

#include "bfs/rank_check.h"

namespace bankai::cli {

// On standard output, as a table or one JSON object.
void print_rank_check(const bfs::RankCheck& check, bool json);

}  // namespace bankai::cli
