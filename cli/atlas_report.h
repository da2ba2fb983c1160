// A sensitivity atlas on standard output.
#pragma once

#include <string>

#include "bfs/atlas.h"

namespace bankai::cli {

// A table by layer, or one JSON object without the values of single rows.
void print_atlas(const bfs::Atlas& atlas, bool json);

// "row", "group" or "bit".
const char* kind_name(patch::FlipKind kind);
// "8 targets (96 tokens), 4 controls (50 tokens)".
std::string describe_data(const bfs::Atlas& atlas);

}  // namespace bankai::cli
