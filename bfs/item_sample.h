// Which items of an objective count: all of them, or all controls and a part of the targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bfs/objective.h"

namespace bankai::bfs {

std::vector<std::size_t> all_items(const Objective& objective);

// A random part of the targets, at least one, and all controls, ascending. A function of (seed,
// round).
std::vector<std::size_t> sample_items(const Objective& objective, double fraction,
                                      std::uint64_t seed, std::uint64_t round);

}  // namespace bankai::bfs
