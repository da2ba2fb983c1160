// A sensitivity atlas as a picture.
#pragma once

#include <string>

#include "bfs/atlas.h"

namespace bankai::cli {

// A self-contained SVG file: a heat map of layers and tensors, coloured by the mean size of the
// predicted gain, with the best fitness written in each cell, and the effect of flipping whole
// feed-forward networks beside it. Shows the coarsest kind of flip that every tensor has.
std::string draw_atlas(const bfs::Atlas& atlas);

}  // namespace bankai::cli
