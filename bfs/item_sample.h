// Which items of an objective count: all of them, or all controls and a part of the targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"

namespace bankai::bfs {

std::vector<std::size_t> all_items(const Objective& objective);

// A random part of the targets, at least one, and all controls, ascending. A function of (seed,
// round).
std::vector<std::size_t> sample_items(const Objective& objective, double fraction,
                                      std::uint64_t seed, std::uint64_t round);

// A random part of the targets and of the controls, at least one of each there is, ascending. A
// function of (seed, round), and another one than sample_items().
std::vector<std::size_t> sample_both(const Objective& objective, double fraction,
                                     std::uint64_t seed, std::uint64_t round);

// The sequences that the items' terms lie in, ascending; and the tokens of these.
std::vector<std::uint32_t> sequences_of(const Objective& objective,
                                        std::span<const std::size_t> items);
std::uint64_t count_tokens(const Objective& objective, std::span<const std::uint32_t> sequences);

}  // namespace bankai::bfs
